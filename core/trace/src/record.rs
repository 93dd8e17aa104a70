//! One record: a word with the event's number, the time, and up to seven words about it.

/// Words that a record may carry beside its time (`extra_u32` has three bits).
pub const MOST_WORDS: usize = 7;

/// Says in a record's first word that the time follows.
const HAS_TIME: u32 = 1 << 31;
/// Where the number of words stands in the first word.
const WORDS_SHIFT: u32 = 28;
/// The bits of an event's number.
const EVENT: u32 = (1 << WORDS_SHIFT) - 1;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    event: u32,
    time: Option<u64>,
    words: [u32; MOST_WORDS],
    count: usize,
}

impl Record {
    /// An event of [`crate::event`] with words about it; those beyond the seventh are left out.
    pub fn new(event: u32, words: &[u32]) -> Self {
        let mut kept = [0; MOST_WORDS];
        for (slot, word) in kept.iter_mut().zip(words) {
            *slot = *word;
        }
        Self {
            event: event & EVENT,
            time: None,
            words: kept,
            count: words.len().min(MOST_WORDS),
        }
    }

    /// The same with a time: the processor's time-stamp counter.
    pub fn at(self, time: u64) -> Self {
        Self {
            time: Some(time),
            ..self
        }
    }

    /// Its size in a ring.
    pub fn bytes(&self) -> u32 {
        let time = if self.time.is_some() { 8 } else { 0 };
        4 + time + 4 * self.count as u32
    }

    /// The words in the order in which they lie in a ring.
    pub fn encoded(&self) -> impl Iterator<Item = u32> + '_ {
        let flag = if self.time.is_some() { HAS_TIME } else { 0 };
        let first = self.event | (self.count as u32) << WORDS_SHIFT | flag;
        let time = self
            .time
            .into_iter()
            .flat_map(|time| [time as u32, (time >> 32) as u32]);
        let words = self.words.iter().copied().take(self.count);
        core::iter::once(first).chain(time).chain(words)
    }

    /// A record that means nothing and takes `bytes` (a multiple of four from 4 to 40).
    pub(crate) fn filler(bytes: u32) -> Self {
        let words = (bytes / 4).saturating_sub(1) as usize;
        let empty = Self::new(crate::event::WRAP_BUFFER, &[0; MOST_WORDS]);
        if words <= MOST_WORDS {
            Self {
                count: words,
                ..empty
            }
        } else {
            Self {
                count: words.saturating_sub(2),
                ..empty.at(0)
            }
        }
    }
}
