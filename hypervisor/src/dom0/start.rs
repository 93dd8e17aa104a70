//! What the first domain's kernel is told, and its first vCPU.

use alloc::sync::Arc;
use core::mem::size_of;
use core::sync::atomic::Ordering::{Relaxed, Release};

use hw::boot::{BootInfo, Video};
use hw::registers::{rflags, selector, Registers};
use hw::window::Window;
use memory::{Budget, Level, Stop};
use vocabulary::{Errno, Mfn, Refusal, Refused, VcpuId, VirtAddr};
use xen_abi::start_info::{
    Dom0VgaConsoleInfo, StartInfo, StartInfoConsoleDom0, SIF_INITDOMAIN, SIF_MOD_START_PFN,
    SIF_PRIVILEGED, SIF_VIRT_P2M_4TOOLS,
};
use zerocopy::{FromZeros, IntoBytes};

use super::{Frames, Layout};
use crate::domain::Domain;
use crate::{machine, schedule};

/// Writes `start_info` and, behind it, what is known of the screen.
pub fn write_info(domain: &Domain, layout: &Layout, frames: &Frames, boot: &BootInfo, pages: u64) {
    let mut info = StartInfo::new_zeroed();
    fill_text(&mut info.magic, b"xen-3.0-x86_64");
    info.nr_pages = pages;
    info.shared_info = domain.shared_info.address().0;
    info.flags = SIF_PRIVILEGED | SIF_INITDOMAIN | SIF_VIRT_P2M_4TOOLS;
    info.pt_base = layout.tables;
    info.nr_pt_frames = layout.table_count;
    info.mfn_list = layout.p2m;
    if layout.p2m_apart {
        info.first_p2m_pfn = layout.p2m_pfn;
        info.nr_p2m_frames = layout.p2m_frames;
    }
    if layout.module_bytes != 0 {
        info.mod_len = layout.module_bytes;
        if layout.module_by_frame {
            info.flags |= SIF_MOD_START_PFN;
            info.mod_start = layout.module_pfn;
        } else {
            info.mod_start = layout.base + (layout.module_pfn << 12);
        }
    }
    let line = boot
        .modules
        .first()
        .map_or(&[][..], |module| module.string.as_bytes());
    fill_text(
        &mut info.cmd_line,
        options::arguments(line, Some(boot.loader.as_bytes())),
    );
    let window = Window::open(frames.of(layout.pfn(layout.start_info)));
    window.clear();
    if let Some(screen) = screen(boot) {
        let offset = size_of::<StartInfo>();
        let place = StartInfoConsoleDom0 {
            info_off: offset as u32,
            info_size: size_of::<Dom0VgaConsoleInfo>() as u32,
        };
        if let Some((target, _)) = info.console.as_mut_bytes().split_at_mut_checked(8) {
            target.copy_from_slice(place.as_bytes());
        }
        window.write(offset, screen.as_bytes());
    }
    window.write(0, info.as_bytes());
}

/// Copies text into a zeroed field, leaving at least one zero at its end.
fn fill_text(field: &mut [u8], text: &[u8]) {
    let room = field.len().saturating_sub(1);
    for (place, &byte) in field.iter_mut().take(room).zip(text) {
        *place = byte;
    }
}

fn screen(boot: &BootInfo) -> Option<Dom0VgaConsoleInfo> {
    let Video::Text { columns, rows } = boot.video else {
        return None;
    };
    let mut screen = Dom0VgaConsoleInfo::new_zeroed();
    screen.video_type = 3;
    // Font height, cursor column and row, rows, columns: five half words.
    screen.u = [16, rows << 16, columns, 0, 0, 0, 0, 0, 0];
    Some(screen)
}

/// Makes the tables the kernel's own and starts its first vCPU at `entry`.
pub fn first_vcpu(
    domain: &Arc<Domain>,
    entry: VirtAddr,
    layout: &Layout,
    root: Mfn,
) -> Refused<()> {
    let Some(vcpu) = domain.vcpu(VcpuId(0)) else {
        return Err(Refusal::new(Errno::EINVAL, "dom0 has no vCPU"));
    };
    let mmu = machine::mmu();
    let mut budget = Budget::unlimited();
    let mut paging = domain.paging.lock();
    paging.allow_cache_control(true);
    let pinned = mmu.pin(&mut paging, root, Level::L4, &mut budget);
    pinned
        .and_then(|()| mmu.take_base(&mut paging, root, &mut budget))
        .map_err(|stop| match stop {
            Stop::Refused(refusal) => refusal,
            Stop::Again => Refusal::new(Errno::EINVAL, "an unlimited budget ran out"),
        })?;
    drop(paging);
    vcpu.bases.kernel.store(root.0, Relaxed);
    vcpu.context.kernel_cr3.store(root.address().0, Relaxed);
    let stack = layout.stack + 4096;
    vcpu.context.kernel_sp.store(stack, Relaxed);
    *vcpu.saved.lock() = Registers {
        rip: entry.0,
        cs: u64::from(selector::GUEST_CODE64),
        rflags: rflags::IF | rflags::FIXED,
        rsp: stack,
        ss: u64::from(selector::GUEST_DATA),
        rsi: layout.start_info,
        ..Registers::default()
    };
    vcpu.context.info().upcall_mask.store(1, Relaxed);
    vcpu.is_initialised.store(true, Release);
    schedule::up(&vcpu);
    Ok(())
}
