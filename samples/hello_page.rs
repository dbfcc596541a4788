// SPDX-License-Identifier: GPL-2.0

//! What lies in the page that the two halves share: a question and its answer.

use core::fmt::Write;
use kernel::prelude::*;
use xen::{attribute::Text, shared_page::Offset};

/// A text, with zeroes behind it.
pub(crate) type Message = [u8; 64];

/// 1 once the front-end has written its question.
pub(crate) const ASKED: Offset<u32> = Offset::at::<0>();
/// The question.
pub(crate) const QUESTION: Offset<Message> = Offset::at::<64>();
/// 1 once the back-end has written its answer.
pub(crate) const ANSWERED: Offset<u32> = Offset::at::<128>();
/// The answer.
pub(crate) const ANSWER: Offset<Message> = Offset::at::<192>();

/// What is asked.
#[allow(dead_code)] // Of the front-end only.
pub(crate) const GREETING: Message = message(b"is there anybody?");

const fn message(text: &[u8]) -> Message {
    let mut message = [0; size_of::<Message>()];
    let mut i = 0;
    while i < text.len() {
        message[i] = text[i];
        i += 1;
    }
    message
}

/// The answer to a question: the same, but louder.
pub(crate) fn answer_to(mut question: Message) -> Message {
    question.make_ascii_uppercase();
    question
}

/// Shows a message up to the first byte that is no text: the other half may write anything.
///
/// # Errors
///
/// `EAGAIN` if there is none yet.
pub(crate) fn show(message: Option<Message>, text: &mut Text<'_>) -> Result {
    let message = message.ok_or(EAGAIN)?;
    for byte in message
        .iter()
        .take_while(|byte| matches!(byte, b' '..=b'~'))
    {
        text.write_char(char::from(*byte)).map_err(|_| ENOSPC)?;
    }
    text.write_char('\n').map_err(|_| ENOSPC)
}
