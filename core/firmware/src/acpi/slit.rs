//! The system locality information table (ACPI 6.5, section 5.2.17): how far nodes are from each other.

use alloc::vec::Vec;

use crate::memory::u64_at;

/// Where the count of localities stands, and where the distances begin.
const COUNT: usize = 36;
const DISTANCES: usize = 44;

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slit {
    /// How many proximity domains it knows: 0 to that.
    count: usize,
    /// Row by row.
    distances: Vec<u8>,
}

impl Slit {
    /// Distance of a proximity domain to itself, on which the others are scaled.
    pub const NEAR: u8 = 10;

    /// From a proximity domain to another: [`NEAR`](Self::NEAR) to itself, 255 where there is no way. `None` for a domain
    /// it does not know.
    pub fn distance(&self, from: u32, to: u32) -> Option<u8> {
        let (from, to) = (from as usize, to as usize);
        if to >= self.count {
            return None;
        }
        let index = from.checked_mul(self.count)?.checked_add(to)?;
        self.distances.get(index).copied()
    }
}

/// Decodes a table whose length and checksum are right.
pub(super) fn decode(table: &[u8]) -> Result<Slit, &'static str> {
    let rest = table.get(DISTANCES..).unwrap_or(&[]);
    let count = u64_at(table, COUNT).and_then(|count| usize::try_from(count).ok());
    let square = count.and_then(|count| count.checked_mul(count));
    let distances = square.and_then(|square| rest.get(..square));
    let (Some(count), Some(distances)) = (count, distances) else {
        return Err("it is shorter than the distances it announces; leaving it out");
    };
    let is_sound = |from: usize, to: usize, distance: u8| match from == to {
        true => distance == Slit::NEAR,
        false => distance > Slit::NEAR,
    };
    let all_sound = distances
        .chunks(count.max(1))
        .enumerate()
        .all(|(from, row)| {
            (0..)
                .zip(row)
                .all(|(to, &distance)| is_sound(from, to, distance))
        });
    if !all_sound {
        return Err(
            "a node is not 10 away from itself, or no further from another; leaving it out",
        );
    }
    Ok(Slit {
        count,
        distances: distances.to_vec(),
    })
}
