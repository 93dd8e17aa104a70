//! A guest in vectors: a consumer that follows the interface's rules.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::Mutex;

use shared_page::simulated::Page;
use vocabulary::{DomainId, Port, VcpuId};

use crate::fifo::{LINK, LINKED, MASKED, PENDING};
use crate::simulated::Info;
use crate::{Closer, Effect, Effects, EventTable, Sent};

/// A domain: its table, and what it can see.
pub struct Guest {
    pub table: EventTable<Page>,
    pub info: Info,
    pub vcpus: u32,
    pub array: Vec<Page>,
    pub blocks: Vec<Page>,
    /// The guest's own queue heads, a vCPU and a priority each.
    heads: Vec<Mutex<[u32; 16]>>,
}

impl Guest {
    pub fn new(domain: u16, vcpus: u32, max_port: u32) -> Self {
        Self {
            table: EventTable::new(DomainId(domain), vcpus, max_port).unwrap(),
            info: Info::new(vcpus),
            vcpus,
            array: Vec::new(),
            blocks: Vec::new(),
            heads: (0..vcpus).map(|_| Mutex::new([0; 16])).collect(),
        }
    }

    /// Switches to the FIFO ABI with one array page; answers the effects of that.
    pub fn start_fifo(&mut self) -> Vec<Effect> {
        for vcpu in 0..self.vcpus {
            let block = Page::empty();
            self.blocks.push(block.clone());
            self.table
                .init_control(&self.info, VcpuId(vcpu), block, 64)
                .unwrap();
        }
        self.expand()
    }

    pub fn expand(&mut self) -> Vec<Effect> {
        let page = Page::empty();
        self.array.push(page.clone());
        let expanded = self.table.expand_array(page).unwrap();
        self.table.replay(&self.info, expanded).flatten().collect()
    }

    pub fn word(&self, port: u32) -> &AtomicU32 {
        &self.array[port as usize / 1024].0[port as usize % 1024]
    }

    /// Sends and answers the effects here; panics if it goes elsewhere.
    pub fn send(&self, port: Port) -> Vec<Effect> {
        match self.table.send(&self.info, port).unwrap() {
            Sent::Here(effects) => effects.collect(),
            Sent::Elsewhere(_) => panic!("the event left the domain"),
        }
    }

    pub fn close(&self, port: Port) {
        let _ = self.table.close(&self.info, port, Closer::Guest).unwrap();
    }

    pub fn set_mask(&self, port: u32) {
        if self.table.is_fifo() {
            if port / 1024 < self.array.len() as u32 {
                self.word(port).fetch_or(MASKED, SeqCst);
            }
        } else {
            self.info.mask[port as usize / 64].fetch_or(1 << (port % 64), SeqCst);
        }
    }

    /// The event is taken without an upcall (two-level ABI).
    pub fn clear_pending(&self, port: u32) {
        self.info.pending[port as usize / 64].fetch_and(!(1 << (port % 64)), SeqCst);
    }

    /// Takes every event a vCPU is told of, as a guest's upcall handler does, in order.
    pub fn drain(&self, vcpu: u32) -> Vec<u32> {
        self.info.upcall[vcpu as usize].store(0, SeqCst);
        if self.table.is_fifo() {
            self.drain_fifo(vcpu)
        } else {
            self.drain_two_level(vcpu)
        }
    }

    fn drain_two_level(&self, vcpu: u32) -> Vec<u32> {
        let mut found = Vec::new();
        let selector = self.info.selector[vcpu as usize].swap(0, SeqCst);
        for word in (0..64).filter(|word| selector >> word & 1 == 1) {
            let mask = self.info.mask[word].load(SeqCst);
            let ready = self.info.pending[word].load(SeqCst) & !mask;
            for bit in (0..64).filter(|bit| ready >> bit & 1 == 1) {
                self.info.pending[word].fetch_and(!(1 << bit), SeqCst);
                found.push(word as u32 * 64 + bit);
            }
        }
        found
    }

    fn drain_fifo(&self, vcpu: u32) -> Vec<u32> {
        let mut found = Vec::new();
        let block = &self.blocks[vcpu as usize];
        let mut heads = self.heads[vcpu as usize].lock().unwrap();
        let mut ready = block.0[16].swap(0, SeqCst);
        while ready != 0 {
            let priority = ready.trailing_zeros() as usize;
            let mut head = heads[priority];
            if head == 0 {
                head = block.0[18 + priority].load(SeqCst);
            }
            let word = self.word(head);
            let before = word
                .fetch_update(SeqCst, SeqCst, |word| Some(word & !(LINKED | LINK)))
                .unwrap();
            let next = before & LINK;
            if before & PENDING != 0 && before & MASKED == 0 {
                word.fetch_and(!PENDING, SeqCst);
                found.push(head);
            }
            heads[priority] = next;
            if next == 0 {
                ready &= !(1 << priority);
            }
            ready |= block.0[16].swap(0, SeqCst);
        }
        found
    }

    /// Drains the vCPUs that were told.
    pub fn drain_all(&self) -> Vec<u32> {
        let told = |vcpu: &u32| self.info.upcall[*vcpu as usize].load(SeqCst) != 0;
        (0..self.vcpus)
            .filter(told)
            .flat_map(|vcpu| self.drain(vcpu))
            .collect()
    }
}

/// Sends on `port` of `from`, through `to` if it goes there.
pub fn send_between(from: &Guest, to: &Guest, port: Port) -> Vec<Effect> {
    match from.table.send(&from.info, port).unwrap() {
        Sent::Here(effects) => effects.collect(),
        Sent::Elsewhere(forward) => {
            assert_eq!(forward.to, to.table.domain());
            to.table.receive(&to.info, forward).collect()
        }
    }
}

/// Connects a fresh port of `near` to a fresh port of `far`: (near's port, far's port).
pub fn connect(near: &Guest, far: &Guest) -> (Port, Port) {
    let waiting = far.table.alloc_unbound(near.table.domain()).unwrap();
    let (port, effects) = near
        .table
        .bind_interdomain(&near.info, &far.table, waiting)
        .unwrap();
    let _: Vec<Effect> = Effects::collect(effects);
    (port, waiting)
}
