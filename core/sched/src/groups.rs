//! CPUs that are scheduled together: the threads of a core, or all of a package.

use alloc::vec::Vec;

use crate::{CpuId, CpuSet, MAX_CPUS};

/// How many CPUs a pool's policy sees as one (`sched-gran=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Granularity {
    /// Each by itself.
    #[default]
    Cpu,
    /// The threads of a core.
    Core,
    /// All of a package.
    Socket,
}

impl Granularity {
    /// Its name, as the `sched-gran=` option and the tools have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Core => "core",
            Self::Socket => "socket",
        }
    }

    /// The one of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Cpu, Self::Core, Self::Socket]
            .into_iter()
            .find(|granularity| granularity.name() == name)
    }
}

/// Where a CPU is among those it is scheduled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// The lowest of them, by which they are called.
    leader: u16,
    /// How many of them are lower.
    seat: u16,
}

/// The machine's CPUs in groups of one size.
#[derive(Debug)]
pub struct Groups {
    size: u32,
    /// By CPU.
    places: Vec<Option<Place>>,
}

impl Groups {
    /// The groups of CPUs that are at the same place, whatever a place is. `None`: there are no CPUs, the groups are of
    /// several sizes, or there is no memory.
    pub fn new<P: PartialEq>(cpus: &[(CpuId, P)]) -> Option<Self> {
        let highest = cpus.iter().map(|(cpu, _)| cpu.0).max()?;
        let mut places = Vec::new();
        places.try_reserve_exact(highest as usize + 1).ok()?;
        places.resize(highest as usize + 1, None);
        let mut size = None;
        for (cpu, at) in cpus {
            let group = || cpus.iter().filter(|(_, other)| other == at);
            let leader = group().map(|(other, _)| other.0).min()?;
            let seat = group().filter(|(other, _)| other < cpu).count();
            let count = group().count() as u32;
            if cpu.0 >= MAX_CPUS || *size.get_or_insert(count) != count {
                return None;
            }
            *places.get_mut(cpu.0 as usize)? = Some(Place {
                leader: leader as u16,
                seat: seat as u16,
            });
        }
        Some(Self {
            size: size?,
            places,
        })
    }

    /// A copy; `None` where there is no memory.
    pub fn copy(&self) -> Option<Self> {
        let mut places = Vec::new();
        places.try_reserve_exact(self.places.len()).ok()?;
        places.extend_from_slice(&self.places);
        Some(Self {
            size: self.size,
            places,
        })
    }

    /// How many CPUs are in each.
    pub const fn size(&self) -> u32 {
        self.size
    }

    fn place(&self, cpu: CpuId) -> Option<Place> {
        self.places.get(cpu.0 as usize).copied().flatten()
    }

    /// The lowest CPU of a CPU's group; itself where it is in none.
    pub fn leader(&self, cpu: CpuId) -> CpuId {
        self.place(cpu)
            .map_or(cpu, |place| CpuId(place.leader.into()))
    }

    /// Which of its group a CPU is, from 0.
    pub fn seat(&self, cpu: CpuId) -> u32 {
        self.place(cpu).map_or(0, |place| place.seat.into())
    }

    /// The CPUs of a CPU's group; it alone where it is in none.
    pub fn members(&self, cpu: CpuId) -> CpuSet {
        let Some(own) = self.place(cpu) else {
            return CpuSet::only(cpu);
        };
        let cpus = (0u32..).zip(&self.places);
        cpus.filter(|(_, place)| place.is_some_and(|place| place.leader == own.leader))
            .map(|(cpu, _)| CpuId(cpu))
            .collect()
    }

    /// The leaders of all groups that have a CPU in the set.
    pub fn leaders(&self, set: &CpuSet) -> CpuSet {
        if *set == CpuSet::ALL {
            return CpuSet::ALL;
        }
        set.iter().map(|cpu| self.leader(cpu)).collect()
    }

    /// Those of the set that are in a seat.
    pub fn in_seat(&self, set: &CpuSet, seat: u32) -> CpuSet {
        set.iter().filter(|cpu| self.seat(*cpu) == seat).collect()
    }
}
