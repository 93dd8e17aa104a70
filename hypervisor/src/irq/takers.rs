//! Who gets a line's interrupts: one domain, or several that share a level-triggered pin. A pin that was raised stays
//! masked until each of those that were told has said that its devices were served.

use alloc::vec::Vec;
use core::fmt;

use arrayvec::ArrayVec;
use vocabulary::{refuse, DomainId, Errno, Refused, VcpuId};

/// Domains that can share a pin.
const MOST: usize = 7;

/// One that gets a line's interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taker {
    /// The domain.
    pub domain: DomainId,
    /// Its own number of the line.
    pub pirq: u32,
    /// The vCPU that is told.
    pub vcpu: VcpuId,
    /// It was told and has not said yet that it is done.
    owes_end: bool,
}

impl Taker {
    /// One that owes nothing.
    pub const fn new(domain: DomainId, pirq: u32, vcpu: VcpuId) -> Self {
        Self {
            domain,
            pirq,
            vcpu,
            owes_end: false,
        }
    }

    fn is(&self, domain: DomainId, pirq: u32) -> bool {
        self.domain == domain && self.pirq == pirq
    }
}

/// Those that an interrupt is for.
pub type Told = ArrayVec<Taker, MOST>;

/// All that get a line's interrupts, the first one first.
#[derive(Debug, Default)]
pub struct Takers {
    list: Vec<Taker>,
    /// Each of them said that it shares.
    shared: bool,
}

impl Takers {
    /// None.
    pub const fn new() -> Self {
        Self {
            list: Vec::new(),
            shared: false,
        }
    }

    /// Whether nobody gets them.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether several domains do.
    pub fn are_several(&self) -> bool {
        self.list.len() > 1
    }

    /// Whether a domain does, by its own number.
    pub fn has(&self, domain: DomainId, pirq: u32) -> bool {
        self.list.iter().any(|taker| taker.is(domain, pirq))
    }

    /// Adds one, which says whether it would share the line.
    ///
    /// # Errors
    /// `EBUSY`: there are others, and one of them does not share, or they are as many as can be. `ENOMEM`.
    pub fn add(&mut self, taker: Taker, shares: bool) -> Refused<()> {
        let has_room = self.shared && shares && self.list.len() < MOST;
        if !self.list.is_empty() && !has_room {
            return refuse(Errno::EBUSY, "the interrupt is in use");
        }
        if self.list.try_reserve(1).is_err() {
            return refuse(Errno::ENOMEM, "no memory to share an interrupt");
        }
        self.shared = shares;
        self.list.push(taker);
        Ok(())
    }

    /// Removes one. Says whether it was the last that owed an end.
    pub fn remove(&mut self, domain: DomainId, pirq: u32) -> bool {
        let owed = self.owe_ends();
        self.list.retain(|taker| !taker.is(domain, pirq));
        owed && !self.owe_ends()
    }

    /// The line was raised: all are to be told, and owe an end where the line waits for one.
    pub fn raised(&mut self, waits: bool) -> Told {
        for taker in &mut self.list {
            taker.owes_end = waits;
        }
        self.list.iter().take(MOST).copied().collect()
    }

    /// One says that it is done. Says whether it was the last that owed an end.
    pub fn ended(&mut self, domain: DomainId, pirq: u32) -> bool {
        let owed = self.owe_ends();
        for taker in self.list.iter_mut().filter(|it| it.is(domain, pirq)) {
            taker.owes_end = false;
        }
        owed && !self.owe_ends()
    }

    /// Another vCPU of one is told from now on. Says whether the line goes where that one is: where the first taker is.
    pub fn tell(&mut self, domain: DomainId, pirq: u32, vcpu: VcpuId) -> bool {
        let mut is_first = false;
        for (position, taker) in self.list.iter_mut().enumerate() {
            if taker.is(domain, pirq) {
                taker.vcpu = vcpu;
                is_first |= position == 0;
            }
        }
        is_first
    }

    fn owe_ends(&self) -> bool {
        self.list.iter().any(|taker| taker.owes_end)
    }
}

impl fmt::Display for Takers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, taker) in self.list.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            let vcpu = taker.vcpu.0;
            write!(out, "{comma}d{}v{vcpu} as {}", taker.domain.0, taker.pirq)?;
            if taker.owes_end {
                out.write_str(" in service")?;
            }
        }
        Ok(())
    }
}
