//! Which events are wanted.

/// Where the class stands in an event's number and in a mask.
const CLASS_SHIFT: u32 = 16;
/// Where the subclass stands.
const SUBCLASS_SHIFT: u32 = 12;

/// A set of events as `XEN_SYSCTL_TBUFOP_set_evt_mask` gives it: sixteen bits of classes above four bits of
/// subclasses, as in the events' own numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask(pub u32);

impl Mask {
    /// Every event.
    pub const ALL: Self = Self(0xffff_f000);

    /// Whether the event is in it: it shares a class and a subclass.
    pub fn has(self, event: u32) -> bool {
        let both = self.0 & event;
        both >> CLASS_SHIFT != 0 && both >> SUBCLASS_SHIFT & 0xf != 0
    }
}
