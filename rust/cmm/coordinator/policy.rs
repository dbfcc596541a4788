// SPDX-License-Identifier: GPL-2.0

//! Who is asked to give: pure functions of what is known about the candidates.

/// How the donors of a request are picked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// As few donors as possible, the one with most to spare for its weight first.
    #[default]
    Largest,
    /// Several donors, each in proportion to what it has to spare for its weight.
    Spread,
}

impl Policy {
    /// The name that the knob `policy` shows and takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Largest => "largest",
            Self::Spread => "spread",
        }
    }

    /// The policy of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Largest, Self::Spread]
            .into_iter()
            .find(|policy| policy.name() == name)
    }
}
