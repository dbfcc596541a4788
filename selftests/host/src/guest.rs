// SPDX-License-Identifier: GPL-2.0

//! A real client over a real page, and Dom0's end of that page.

use std::cell::Cell;
use std::rc::Rc;

use cmm::client::{Client, Remains, Shell};
use cmm::protocol::layout::{Bytes, DOWN, UP};
use cmm::protocol::{Down, Up, Violation};
use cmm::ring::{Consumer, Memory, Producer, PushError};

use crate::page::Page;

/// The client's end: counts how often Dom0 and the thread are woken.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    page: Rc<Page>,
    /// Events sent to Dom0.
    pub notified: Rc<Cell<u32>>,
    /// How often the thread was woken.
    pub woken: Rc<Cell<u32>>,
}

impl Shell for Wire {
    type Page = Page;

    fn page(&self) -> &Page {
        &self.page
    }

    fn notify(&self) {
        self.notified.set(self.notified.get() + 1);
    }

    fn wake_thread(&self) {
        self.woken.set(self.woken.get() + 1);
    }

    fn is_told_to_cancel(&self) -> bool {
        true
    }
}

/// A client, and Dom0's end of its connection.
#[derive(Debug)]
pub struct Guest {
    /// What decides in the domain.
    pub client: Client<Wire>,
    /// Its end of the last connection.
    pub wire: Wire,
    up: Consumer,
    down: Producer,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            client: Client::new(),
            wire: Wire::default(),
            up: Consumer::new(UP),
            down: Producer::new(DOWN),
        }
    }
}

impl Guest {
    /// With a connection that is open.
    pub fn open() -> Self {
        let mut guest = Self::default();
        guest.begin();
        guest.client.establish().expect("a fresh connection");
        guest
    }

    /// Begins a connection over a fresh page.
    pub fn begin(&mut self) {
        self.wire = Wire::default();
        self.up = Consumer::new(UP);
        self.down = Producer::new(DOWN);
        let begun = self.client.begin(self.wire.clone());
        begun.expect("no connection before");
    }

    /// Ends the connection, if there is one.
    pub fn hang_up(&mut self) -> Option<Remains<Wire>> {
        self.client.hang_up()
    }

    /// Dom0 copies the next message, whatever it is. The client is shown that those before it have been acted on.
    ///
    /// # Errors
    ///
    /// There is none where the client says it is.
    pub fn receive(&mut self) -> Result<Option<Bytes>, Violation> {
        let page = &*self.wire.page;
        self.up.done(page);
        self.up.read(page)
    }

    /// Dom0 reads the next message.
    pub fn hear(&mut self) -> Option<Up> {
        let bytes = self.receive().expect("an honest index")?;
        Some(Up::decode(&bytes).expect("an honest message"))
    }

    /// Dom0 reads all messages.
    pub fn hear_all(&mut self) -> Vec<Up> {
        std::iter::from_fn(|| self.hear()).collect()
    }

    /// Dom0 writes a message.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    pub fn say(&mut self, message: &Down) -> Result<(), PushError> {
        let (page, free) = (&*self.wire.page, message.leaves_free());
        self.down.push_leaving(page, &message.encode(), free)
    }

    /// Dom0 writes a message, and the client takes it in.
    pub fn tell(&mut self, message: &Down, now: u64) {
        self.say(message).expect("room");
        self.client.drain(now);
    }

    /// What Dom0 has said and the client has not taken in, the oldest first.
    pub fn unread(&self) -> Vec<Down> {
        let page = &*self.wire.page;
        let mut lane = Consumer::resume(DOWN, page.load_acquire(DOWN.consumer));
        let read = || lane.read(page).expect("Dom0 is honest");
        let decode = |bytes| Down::decode(&bytes).expect("Dom0 is honest");
        std::iter::from_fn(read).map(decode).collect()
    }

    /// Somebody in the domain moves an index where the client cannot have put it.
    pub fn scribble(&mut self) {
        let page = &*self.wire.page;
        let index = page.load_acquire(UP.producer);
        page.store_release(UP.producer, index.wrapping_add(UP.slots + 1));
    }
}
