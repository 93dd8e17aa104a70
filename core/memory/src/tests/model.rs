//! The plain model: table contents, pins and bases. What each frame is follows from these, computed anew each
//! time by walking everything; a step is allowed when nothing contradicts.

use std::collections::BTreeMap;

use vocabulary::DomainId;

use super::machine::*;
use super::operations::Operation;
use crate::entry::*;
use crate::page_info::{Level, PageType};

/// What a frame is and how often it is referenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    pub page_type: PageType,
    pub types: u32,
    pub references: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    contents: BTreeMap<(u64, usize), u64>,
    pins: BTreeMap<u64, Level>,
    bases: BTreeMap<u64, u32>,
}

pub type Uses = BTreeMap<u64, Use>;

/// Two uses of a frame contradict.
#[derive(Debug)]
struct Conflict;

fn owner_of(mfn: u64) -> Option<DomainId> {
    if GUEST_FRAMES.contains(&mfn) {
        Some(GUEST)
    } else if OTHER_FRAMES.contains(&mfn) {
        Some(OTHER)
    } else {
        None
    }
}

/// Whether a guest may make this mapping anew, in the name of `owner`.
fn may_map(entry: u64, owner: DomainId) -> bool {
    match entry >> 12 & 0xff {
        DEVICE | READ_ONLY_DEVICE => owner == GUEST || owner == DomainId::IO,
        mfn => owner_of(mfn) == Some(owner),
    }
}

/// The entry as the tables hold it, but for the bits that adjusting adds.
fn stored(level: Level, entry: u64) -> u64 {
    if level == Level::L1 && entry & PRESENT != 0 && entry >> 12 & 0xff == READ_ONLY_DEVICE {
        return entry & !WRITE;
    }
    entry
}

/// Bits that the random guests use and may not set.
fn disallowed(level: Level) -> u64 {
    match level {
        Level::L1 => SUPERPAGE_OR_PAT,
        _ => SUPERPAGE_OR_PAT | GLOBAL,
    }
}

impl Model {
    fn count(uses: &mut Uses, mfn: u64, page_type: PageType) -> Result<bool, Conflict> {
        let Some(_) = owner_of(mfn) else {
            return Ok(false); // Device memory: nothing is counted.
        };
        let this = uses.entry(mfn).or_insert(Use {
            page_type: PageType::None,
            types: 0,
            references: 0,
        });
        this.references += 1;
        if page_type == PageType::None {
            return Ok(false);
        }
        if this.types > 0 && this.page_type != page_type {
            return Err(Conflict);
        }
        this.page_type = page_type;
        this.types += 1;
        Ok(this.types == 1)
    }

    fn use_table(&self, uses: &mut Uses, mfn: u64, level: Level) -> Result<(), Conflict> {
        if owner_of(mfn) != Some(GUEST) {
            return Err(Conflict);
        }
        if !Self::count(uses, mfn, level.page_type())? {
            return Ok(());
        }
        for (&(_, index), &entry) in self.contents.range((mfn, 0)..=(mfn, 511)) {
            if entry & PRESENT != 0 && !(level == Level::L4 && is_hypervisor_slot(index)) {
                self.use_entry(uses, level, entry)?;
            }
        }
        Ok(())
    }

    fn use_entry(&self, uses: &mut Uses, level: Level, entry: u64) -> Result<(), Conflict> {
        let mfn = frame(entry).0;
        match level.below() {
            Some(below) => self.use_table(uses, mfn, below),
            None if entry & WRITE != 0 => Self::count(uses, mfn, PageType::Writable).map(|_| ()),
            None => Self::count(uses, mfn, PageType::None).map(|_| ()),
        }
    }

    fn uses_with(
        &self,
        extra: impl FnOnce(&Self, &mut Uses) -> Result<(), Conflict>,
    ) -> Result<Uses, Conflict> {
        let mut uses = Uses::new();
        for (&mfn, &level) in &self.pins {
            self.use_table(&mut uses, mfn, level)?;
        }
        for (&mfn, &count) in &self.bases {
            for _ in 0..count {
                self.use_table(&mut uses, mfn, Level::L4)?;
            }
        }
        extra(self, &mut uses)?;
        Ok(uses)
    }

    /// What every frame is; frames that nothing refers to are left out.
    pub fn uses(&self) -> Uses {
        self.uses_with(|_, _| Ok(()))
            .expect("the model contradicts itself")
    }

    /// The level of a frame that is a table.
    pub fn level(&self, mfn: u64) -> Option<Level> {
        self.uses()
            .get(&mfn)
            .and_then(|this| this.page_type.level())
    }

    pub fn entry(&self, mfn: u64, index: usize) -> u64 {
        self.contents.get(&(mfn, index)).copied().unwrap_or(0)
    }

    /// Takes over what a promotion changes in an entry, even one that was undone: the bits that adjusting
    /// adds, and the right to write to device memory that is read-only.
    pub fn adopt(&mut self, mfn: u64, index: usize, adjusted: u64) {
        if let Some(entry) = self.contents.get_mut(&(mfn, index)) {
            let read_only = *entry & PRESENT != 0 && frame(*entry).0 == READ_ONLY_DEVICE;
            let lost = if read_only { WRITE } else { 0 };
            let kept = ADDRESS | PRESENT | WRITE | SUPERPAGE_OR_PAT;
            if (*entry ^ adjusted) & kept & !lost == 0 {
                *entry = adjusted;
            }
        }
    }

    pub fn has_base(&self, mfn: u64) -> bool {
        self.bases.contains_key(&mfn)
    }

    /// Whether every frame that is a table in `after` and was none in `before` obeys the rules; and what the
    /// hypervisor writes into it.
    fn promote(&mut self, before: &Uses, after: &Uses) -> bool {
        let level_in = |uses: &Uses, mfn: u64| uses.get(&mfn).and_then(|it| it.page_type.level());
        let fresh: Vec<(u64, Level)> = after
            .keys()
            .filter(|mfn| level_in(before, **mfn).is_none())
            .filter_map(|mfn| Some((*mfn, level_in(after, *mfn)?)))
            .collect();
        for &(mfn, level) in &fresh {
            for (&(_, index), &entry) in self.contents.range((mfn, 0)..=(mfn, 511)) {
                let own = level == Level::L4 && is_hypervisor_slot(index);
                let bad =
                    entry & disallowed(level) != 0 || level == Level::L1 && !may_map(entry, GUEST);
                if entry & PRESENT != 0 && !own && bad {
                    return false;
                }
            }
        }
        for &(mfn, level) in &fresh {
            for (_, entry) in self.contents.range_mut((mfn, 0)..=(mfn, 511)) {
                *entry = stored(level, *entry);
            }
            if level == Level::L4 {
                let own = FIRST_HYPERVISOR_SLOT..FIRST_HYPERVISOR_SLOT + HYPERVISOR_SLOTS;
                for index in own {
                    self.contents.insert((mfn, index), hypervisor_entry());
                }
            }
        }
        true
    }

    /// Whether the demand is met: nothing contradicts, and new tables obey the rules.
    fn accepts(&mut self, extra: impl FnOnce(&Self, &mut Uses) -> Result<(), Conflict>) -> bool {
        let before = self.uses();
        match self.uses_with(extra) {
            Ok(after) => self.promote(&before, &after),
            Err(Conflict) => false,
        }
    }

    /// Does a step. Gives whether it is accepted; where not, nothing changes.
    pub fn step(&mut self, operation: Operation) -> bool {
        match operation {
            Operation::Poke { mfn, index, entry } => {
                self.contents.insert((mfn, index), entry);
                true
            }
            Operation::Touch { .. } => true,
            Operation::Update {
                mfn,
                index,
                entry,
                owner,
            } => self.update(mfn, index, entry, owner),
            Operation::Pin { mfn, level } => {
                let accepted = !self.pins.contains_key(&mfn)
                    && self.accepts(|this, uses| this.use_table(uses, mfn, level));
                if accepted {
                    self.pins.insert(mfn, level);
                }
                accepted
            }
            Operation::Unpin { mfn } => self.pins.remove(&mfn).is_some(),
            Operation::TakeBase { mfn } => {
                let accepted = self.accepts(|this, uses| this.use_table(uses, mfn, Level::L4));
                if accepted {
                    *self.bases.entry(mfn).or_default() += 1;
                }
                accepted
            }
            Operation::ReleaseBase { mfn } => {
                let left = self.bases.remove(&mfn).unwrap_or(1) - 1;
                if left > 0 {
                    self.bases.insert(mfn, left);
                }
                true
            }
        }
    }

    fn update(&mut self, mfn: u64, index: usize, entry: u64, owner: DomainId) -> bool {
        if owner_of(mfn) != Some(GUEST) {
            return false;
        }
        let Some(level) = self.level(mfn) else {
            self.contents.insert((mfn, index), entry);
            return true;
        };
        if level == Level::L4 && is_hypervisor_slot(index) {
            return false;
        }
        if entry & PRESENT != 0 && !self.may_enter(level, self.entry(mfn, index), entry, owner) {
            return false;
        }
        self.contents.insert((mfn, index), stored(level, entry));
        true
    }

    /// Whether a present entry may replace `old`. Both count while it happens.
    fn may_enter(&mut self, level: Level, old: u64, entry: u64, owner: DomainId) -> bool {
        if entry & disallowed(level) != 0 {
            return false;
        }
        let same = old & PRESENT != 0 && frame(old) == frame(entry);
        if same && level != Level::L1 {
            return true;
        }
        let is_ram = owner_of(frame(entry).0).is_some();
        let change = (old ^ entry) & WRITE;
        if same && (change == 0 || is_ram && entry & WRITE == 0) {
            return true; // The same mapping, or one with fewer rights.
        }
        if level == Level::L1 && !may_map(entry, owner) {
            return false;
        }
        self.accepts(|this, uses| this.use_entry(uses, level, entry))
    }
}
