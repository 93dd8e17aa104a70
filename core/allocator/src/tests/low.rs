//! Low memory: told at every threshold, once for each time that memory was well above it.

use proptest::prelude::*;

use crate::LowMemory;

/// What is told while memory goes through these amounts.
fn told(low: &mut LowMemory, amounts: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut all: Vec<u64> = amounts.into_iter().collect();
    all.retain(|free| low.observe(*free));
    all
}

#[test]
fn each_threshold_is_told_on_the_way_down() {
    let mut low = LowMemory::below(16, 1000);
    assert_eq!(
        told(&mut low, (0..200).rev()),
        [16, 8, 4, 2, 1],
        "a power of two"
    );
    let mut low = LowMemory::below(13, 1000);
    assert_eq!(told(&mut low, (0..200).rev()), [13, 8, 4, 2, 1]);
    let mut low = LowMemory::below(1, 1000);
    assert_eq!(told(&mut low, (0..200).rev()), [1]);
}

#[test]
fn a_small_machine_has_a_lower_limit() {
    let mut low = LowMemory::below(1 << 14, 100);
    assert_eq!(told(&mut low, (0..100).rev()), [50, 32, 16, 8, 4, 2, 1]);
}

#[test]
fn no_limit_tells_nothing() {
    for mut low in [
        LowMemory::never(),
        LowMemory::below(0, 1000),
        LowMemory::below(9, 1),
    ] {
        assert_eq!(told(&mut low, [1000, 0, 1000, 1, 0]), []);
        assert!(!low.has_told());
    }
}

#[test]
fn up_and_down_around_a_threshold_is_told_once() {
    let mut low = LowMemory::below(16, 1000);
    let around = [17, 16, 17, 16, 31, 15, 31, 9, 31];
    assert_eq!(told(&mut low, around), [16]);
    assert_eq!(told(&mut low, [32, 17, 16]), [16], "after twice as much");
    assert_eq!(told(&mut low, [8, 15, 8, 16, 15]), [8]);
    assert_eq!(told(&mut low, [8, 31, 16]), [8], "only the lower one again");
}

#[test]
fn the_largest_numbers_do_no_harm() {
    let mut low = LowMemory::below(u64::MAX, u64::MAX);
    assert_eq!(told(&mut low, [u64::MAX, 0, u64::MAX, 0]), [0, 0]);
}

/// The same as a list of thresholds that are armed or not.
struct Model {
    /// Threshold, what arms it again, whether it is armed.
    thresholds: Vec<(u64, u64, bool)>,
}

impl Model {
    fn new(limit: u64) -> Self {
        let power = limit.next_power_of_two();
        let mut thresholds = vec![(limit, power * 2, true)];
        let mut below = power / 2;
        while below > 0 {
            thresholds.push((below, below * 2, true));
            below /= 2;
        }
        Self { thresholds }
    }

    fn observe(&mut self, free: u64) -> bool {
        let mut fell = false;
        for (threshold, again, armed) in &mut self.thresholds {
            fell |= *armed && free <= *threshold;
            *armed = (*armed || free >= *again) && free > *threshold;
        }
        fell
    }
}

proptest! {
    #[test]
    fn agrees_with_the_model(limit in 1..5000u64, amounts in prop::collection::vec(0..20_000u64, 1..200)) {
        let mut low = LowMemory::below(limit, 20_000);
        let mut model = Model::new(limit);
        for free in amounts {
            prop_assert_eq!(low.observe(free), model.observe(free), "at {}", free);
        }
    }

    /// As it is met: small steps.
    #[test]
    fn agrees_with_the_model_in_small_steps(limit in 1..200u64, steps in prop::collection::vec(-9..9i64, 1..500)) {
        let mut low = LowMemory::below(limit, 1000);
        let mut model = Model::new(limit);
        let mut free = 220u64;
        for step in steps {
            free = free.saturating_add_signed(step);
            prop_assert_eq!(low.observe(free), model.observe(free), "at {}", free);
        }
    }
}
