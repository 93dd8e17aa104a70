//! Burning: works without end and says how much processor time it got.

use crate::{every, work};
use guest_kit::time::now;
use guest_kit::vcpus::runstate;

/// Burns, and reports at the same moments as every other guest does.
pub fn forever() {
    loop {
        work::until((now() / every() + 1) * every());
        let ran = runstate(0).times[0];
        guest_kit::say!("RAN {} {ran}", now());
    }
}
