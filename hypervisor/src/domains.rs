//! All domains, by number. A look-up may happen under any lock: the table's locks are the innermost but that of the
//! free frames, and are held only for as long as it takes to find a domain and count a reference to it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicU16, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

use hw::sync::SpinLock;
use spin::Once;
use vocabulary::{refuse, DomainId, Errno, Refused};

use crate::domain::Domain;
use crate::levels;

/// First number that is no domain's (`DOMID_FIRST_RESERVED`).
pub const FIRST_RESERVED: u16 = 0x7ff0;
/// Parts of the table, each with its lock: as many as bits in a word of `USED`.
const SHARDS: usize = 64;

/// Domains whose numbers end in the same six bits.
type Shard = SpinLock<Vec<Arc<Domain>>, { levels::DOMAINS }>;

static TABLE: [Shard; SHARDS] = [const { SpinLock::new(Vec::new()) }; SHARDS];
/// A bit for each number in use.
static USED: [AtomicU64; FIRST_RESERVED as usize / 64 + 1] =
    [const { AtomicU64::new(0) }; FIRST_RESERVED as usize / 64 + 1];
/// The number given out last.
static LAST: AtomicU16 = AtomicU16::new(0);
/// The first domain, which never ends: found without a lock.
static FIRST: Once<Arc<Domain>> = Once::new();

fn shard(id: DomainId) -> &'static Shard {
    let [first, ..] = &TABLE;
    TABLE.get(usize::from(id.0) % SHARDS).unwrap_or(first)
}

fn is_used(id: u16) -> bool {
    let word = USED.get(usize::from(id / 64));
    word.is_some_and(|word| word.load(Acquire) >> (id % 64) & 1 != 0)
}

fn set_used(id: DomainId, used: bool) {
    if let Some(word) = USED.get(usize::from(id.0 / 64)) {
        let bit = 1 << (id.0 % 64);
        if used {
            word.fetch_or(bit, AcqRel);
        } else {
            word.fetch_and(!bit, AcqRel);
        }
    }
}

/// A number for a new domain: `wanted`, or where that is none a domain can have, the next free one after the last
/// that was given out. Only the holder of the control plane's lock asks. EEXIST: `wanted` is in use. ENOMEM: all are.
pub fn free_id(wanted: DomainId) -> Refused<DomainId> {
    if (1..FIRST_RESERVED).contains(&wanted.0) {
        if is_used(wanted.0) {
            return refuse(Errno::EEXIST, "there is a domain of that number");
        }
        return Ok(wanted);
    }
    let last = LAST.load(Relaxed);
    let found = (last + 1..FIRST_RESERVED)
        .chain(1..=last)
        .find(|&id| !is_used(id));
    match found {
        Some(id) => {
            LAST.store(id, Relaxed);
            Ok(DomainId(id))
        }
        None => refuse(Errno::ENOMEM, "all numbers of domains are in use"),
    }
}

/// Makes a domain known, whose number [`free_id`] gave. ENOMEM.
pub fn insert(domain: Arc<Domain>) -> Refused<()> {
    let id = domain.id;
    if id == DomainId(0) {
        FIRST.call_once(|| Arc::clone(&domain));
    }
    // Memory is taken and given back outside the lock.
    let mut room = Vec::new();
    loop {
        let mut shard = shard(id).lock();
        if shard.len() == shard.capacity() && room.capacity() > shard.len() {
            room.append(&mut shard);
            core::mem::swap(&mut *shard, &mut room);
        }
        let count = shard.len();
        if count < shard.capacity() {
            shard.push(domain);
            drop(shard);
            set_used(id, true);
            return Ok(());
        }
        drop(shard);
        if room.try_reserve_exact(count + 1).is_err() {
            return refuse(Errno::ENOMEM, "no memory for the table of domains");
        }
    }
}

/// Forgets a domain: its number is free. Who holds a reference keeps what is left of it.
pub fn remove(id: DomainId) -> Option<Arc<Domain>> {
    let mut shard = shard(id).lock();
    let place = shard.iter().position(|domain| domain.id == id)?;
    let domain = shard.swap_remove(place);
    // A list without domains keeps no memory either: it may lie where the heap grew for guests.
    let emptied = shard.is_empty().then(|| core::mem::take(&mut *shard));
    drop(shard);
    drop(emptied);
    set_used(id, false);
    Some(domain)
}

/// The domain of a number.
pub fn find(id: DomainId) -> Option<Arc<Domain>> {
    if id == DomainId(0) {
        return FIRST.get().cloned();
    }
    let shard = shard(id).lock();
    shard.iter().find(|domain| domain.id == id).cloned()
}

/// The first domain whose number is `from` or higher.
pub fn next(from: DomainId) -> Option<Arc<Domain>> {
    let mut index = usize::from(from.0 / 64);
    let mut above = u64::MAX << (from.0 % 64);
    while let Some(word) = USED.get(index) {
        let mut bits = word.load(Acquire) & above;
        while bits != 0 {
            let id = index as u16 * 64 + bits.trailing_zeros() as u16;
            // One that went this moment is passed over.
            if let Some(domain) = find(DomainId(id)) {
                return Some(domain);
            }
            bits &= bits - 1;
        }
        above = u64::MAX;
        index += 1;
    }
    None
}

/// The first domain, once it exists.
pub fn first() -> Option<&'static Arc<Domain>> {
    FIRST.get()
}

/// Runs `work` on the domain of a number, if there is one.
#[inline]
pub fn with<R>(id: DomainId, work: impl FnOnce(&Domain) -> R) -> Option<R> {
    if id == DomainId(0) {
        return FIRST.get().map(|domain| work(domain));
    }
    find(id).map(|domain| work(&domain))
}

/// Runs `work` on every domain there is, by rising number.
pub fn for_each(mut work: impl FnMut(&Arc<Domain>)) {
    let mut from = DomainId(0);
    while let Some(domain) = next(from) {
        work(&domain);
        from = DomainId(domain.id.0 + 1);
    }
}
