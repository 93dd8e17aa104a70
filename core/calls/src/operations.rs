//! What a row of the table is, and the macro that makes a subject's rows into a list and an enum.

use vocabulary::{Errno, Refusal};

/// How far an operation is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Works.
    Done,
    /// Answers `-ENOSYS` on purpose; the row's note says why.
    Refused,
    /// Answers `-ENOSYS` because nobody wrote it yet.
    Missing,
}

/// A row of the table: one sub-operation of a hypercall.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The number that selects it.
    pub number: u32,
    /// The header's name of that number.
    pub name: &'static str,
    /// How far it is.
    pub state: State,
    /// Why, or what of it; may be empty.
    pub note: &'static str,
    /// The operations it divides into in turn.
    pub operations: &'static [Operation],
}

/// The answer "that number selects nothing that works".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotDone {
    /// The number asked for.
    pub number: u32,
    /// The header's name of it, if the headers know it.
    pub name: Option<&'static str>,
    /// Its state (never [`State::Done`]), if the headers know it.
    pub state: Option<State>,
}

impl NotDone {
    /// The answer for `number`, given its row.
    pub(crate) fn new(number: u32, operations: &'static [Operation]) -> Self {
        let row = operations.iter().find(|row| row.number == number);
        Self {
            number,
            name: row.map(|row| row.name),
            state: row.map(|row| row.state),
        }
    }
}

impl From<NotDone> for Refusal {
    fn from(not_done: NotDone) -> Self {
        let rule = match not_done.state {
            Some(State::Refused) => "the operation is refused on purpose",
            Some(State::Missing | State::Done) => "the operation is not implemented yet",
            None => "the interface has no such operation",
        };
        Refusal::new(Errno::ENOSYS, rule)
    }
}

impl core::fmt::Display for NotDone {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.name {
            Some(name) => write!(formatter, "{name} ({})", self.number),
            None => write!(formatter, "unknown operation {}", self.number),
        }
    }
}

/// Makes an enum of the rows that are `Done` and `OPERATIONS`, the list of all of them.
///
/// A row is `State Variant = HEADER_NAME;`, with `=> Enum` before the semicolon if it divides further and
/// `, "note"` at its end if there is something to say.
macro_rules! operations {
    ($(
        $(#[$meta:meta])*
        $name:ident in $module:ident {
            $( $state:ident $variant:ident = $constant:ident $(=> $nested:ident)? $(, $note:literal)? ; )*
        }
    )*) => { $(
        operations! {
            @enum [$(#[$meta])*] $name $module []
            $( $state $variant = $constant $(=> $nested)? $(, $note)? ; )*
        }

        impl $name {
            /// Every operation of the headers, in the order of the table.
            pub const OPERATIONS: &'static [$crate::Operation] = &[ $(
                $crate::Operation {
                    number: xen_abi::$module::$constant as u32,
                    name: stringify!($constant),
                    state: $crate::State::$state,
                    note: operations!(@note $($note)?),
                    operations: operations!(@nested $($nested)?),
                }
            ),* ];
        }
    )* };

    (@note) => { "" };
    (@note $note:literal) => { $note };
    (@nested) => { &[] };
    (@nested $nested:ident) => { $nested::OPERATIONS };

    (@enum [$($meta:tt)*] $name:ident $module:ident [$($done:tt)*]
        Done $variant:ident = $constant:ident $(=> $nested:ident)? $(, $note:literal)? ; $($rest:tt)*
    ) => {
        operations! { @enum [$($meta)*] $name $module [$($done)* $variant = $constant,] $($rest)* }
    };
    (@enum [$($meta:tt)*] $name:ident $module:ident [$($done:tt)*]
        $state:ident $variant:ident = $constant:ident $(=> $nested:ident)? $(, $note:literal)? ; $($rest:tt)*
    ) => {
        operations! { @enum [$($meta)*] $name $module [$($done)*] $($rest)* }
    };
    (@enum [$($meta:tt)*] $name:ident $module:ident [$($variant:ident = $constant:ident,)*]) => {
        $($meta)*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $(
            #[doc = concat!("`", stringify!($constant), "`.")]
            $variant
        ),* }

        impl $name {
            /// The operation that `number` selects, if it is done.
            #[allow(non_upper_case_globals, reason = "constants stand in for the variants' numbers")]
            pub fn from_number(number: u32) -> Result<Self, $crate::NotDone> {
                $( const $variant: u32 = xen_abi::$module::$constant as u32; )*
                match number {
                    $( $variant => Ok(Self::$variant), )*
                    other => Err($crate::NotDone::new(other, Self::OPERATIONS)),
                }
            }

            /// The number that selects it.
            pub const fn number(self) -> u32 {
                match self { $( Self::$variant => xen_abi::$module::$constant as u32 ),* }
            }

            /// The header's name of it.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => stringify!($constant) ),* }
            }
        }
    };
}
