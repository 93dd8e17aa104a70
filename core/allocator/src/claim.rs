//! Claims: memory promised to a domain before it takes it.

use vocabulary::{refuse, Errno, Refused};

use crate::FrameAllocator;

/// How many more frames a domain may take of what it claimed. It belongs with the domain; give it up with
/// [`FrameAllocator::cancel_claim`], since dropping it would leave the promise standing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Claim {
    outstanding: u64,
}

impl Claim {
    /// No claim.
    pub const fn none() -> Self {
        Self { outstanding: 0 }
    }

    /// Frames promised and not yet taken.
    pub const fn outstanding(&self) -> u64 {
        self.outstanding
    }
}

impl<const NODES: usize> FrameAllocator<NODES> {
    /// Promises `frames` frames to the claim's holder. EBUSY: it has a claim already; ENOMEM: so much is not
    /// free and unclaimed.
    pub fn claim(&mut self, claim: &mut Claim, frames: u64) -> Refused<()> {
        if claim.outstanding != 0 {
            return refuse(Errno::EBUSY, "the domain has a claim already");
        }
        if frames > self.available_to(claim) {
            return refuse(
                Errno::ENOMEM,
                "the claim exceeds free memory not yet claimed",
            );
        }
        claim.outstanding = frames;
        self.claimed += frames;
        Ok(())
    }

    /// Gives up what is left of a claim.
    pub fn cancel_claim(&mut self, claim: &mut Claim) {
        let rest = core::mem::take(&mut claim.outstanding);
        self.claimed = self.claimed.saturating_sub(rest);
    }

    /// Uses up the claim for frames that its holder got in another way, such as from a CPU's cache.
    pub fn spend_claim(&mut self, claim: &mut Claim, frames: u64) {
        let spent = frames.min(claim.outstanding);
        claim.outstanding -= spent;
        self.claimed = self.claimed.saturating_sub(spent);
    }

    /// Frames promised to domains and not yet taken.
    pub const fn claimed_frames(&self) -> u64 {
        self.claimed
    }

    /// Free frames that the holder of the claim may take: those claimed by nobody else.
    pub fn available_to(&self, claim: &Claim) -> u64 {
        let others = self.claimed.saturating_sub(claim.outstanding);
        self.free_frames().saturating_sub(others)
    }
}
