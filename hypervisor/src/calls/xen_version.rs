//! `xen_version`: which interface this is. Also the call with which Linux says "deliver my events now", so the
//! version itself is answered first.

use calls::VersionOp;
use vocabulary::{Errno, Refusal, Refused};
use xen_abi::version::{BuildId, CompileInfo, FeatureInfo, PlatformParameters};
use zerocopy::{FromZeros, IntoBytes};

use crate::hypercall::{refuse, Answer, Arguments, Caller};
use crate::vcpu::Vcpu;
use crate::{boot, guest};

/// 4.17, the interface's version.
pub const VERSION: u64 = 4 << 16 | 17;
/// What stands behind it.
pub const EXTRA: &[u8] = b".7-xenolith";
/// The state of the sources: there is none that all builds know.
pub const CHANGESET: &[u8] = b"xenolith";
/// The compiler.
pub const COMPILER: &[u8] = b"rustc";
/// Who compiled it.
pub const COMPILED_BY: &[u8] = b"xenolith";
/// What tools look for to know what kinds of guest can be run.
const CAPABILITIES: &[u8] = b"xen-3.0-x86_64 ";

/// Arguments: what, where to write it.
#[inline]
pub fn handle(caller: &mut Caller<'_>, arguments: &mut Arguments) -> Answer {
    let [what, to, ..] = arguments.0;
    if what as u32 == VersionOp::Version.number() {
        return Ok(VERSION);
    }
    other(caller.vcpu, what as u32, to)
}

fn other(vcpu: &Vcpu, what: u32, to: u64) -> Answer {
    match VersionOp::from_number(what).map_err(Refusal::from)? {
        VersionOp::Version => return Ok(VERSION),
        VersionOp::Extraversion => text::<16>(to, EXTRA)?,
        VersionOp::CompileInfo => compile_info(to)?,
        VersionOp::Capabilities => text::<1024>(to, CAPABILITIES)?,
        VersionOp::Changeset => text::<64>(to, CHANGESET)?,
        VersionOp::PlatformParameters => {
            let virt_start = vocabulary::VirtAddr::HYPERVISOR_START.0;
            guest::write(to, &PlatformParameters { virt_start })?;
        }
        VersionOp::GetFeatures => features(vcpu, to)?,
        VersionOp::Pagesize => return Ok(4096),
        VersionOp::GuestHandle => {
            let handle = *vcpu.domain.handle.lock();
            guest::write_bytes(to, &handle)?;
        }
        VersionOp::Commandline => command_line(vcpu, to)?,
        VersionOp::BuildId => return build_id(to),
    }
    Ok(0)
}

/// Writes text into a field of `SIZE` bytes, zero-filled.
fn text<const SIZE: usize>(to: u64, words: &[u8]) -> Refused<()> {
    let mut field = [0; SIZE];
    for (place, &byte) in field.iter_mut().take(SIZE - 1).zip(words) {
        *place = byte;
    }
    guest::write_bytes(to, &field)
}

fn compile_info(to: u64) -> Refused<()> {
    let mut info = CompileInfo::new_zeroed();
    let fields: [(&mut [u8], &[u8]); 4] = [
        (&mut info.compiler, COMPILER),
        (&mut info.compile_by, COMPILED_BY),
        (&mut info.compile_domain, b""),
        (&mut info.compile_date, b""),
    ];
    for (field, words) in fields {
        for (place, &byte) in field.iter_mut().zip(words) {
            *place = byte;
        }
    }
    guest::write(to, &info)
}

fn features(vcpu: &Vcpu, to: u64) -> Refused<()> {
    let mut info = guest::read::<FeatureInfo>(to)?;
    if info.submap_idx != 0 {
        return Err(Refusal::new(
            Errno::EINVAL,
            "features are the first 32 only",
        ));
    }
    let mut bits = kernel_image::Features::PV_DOM0;
    if !vcpu.domain.privileged {
        bits.remove(kernel_image::Features::DOM0);
    }
    // What the kernel's notes may ask for is more than it gets: its page tables are never plainly writable.
    bits.remove(kernel_image::Features::WRITABLE_PAGE_TABLES);
    info.submap = bits.bits();
    guest::write(to, &info)
}

fn command_line(vcpu: &Vcpu, to: u64) -> Refused<()> {
    let boot = boot::info().filter(|_| vcpu.domain.privileged);
    let line = boot.map_or(&[] as &[u8], |boot| {
        let loader = Some(boot.loader.as_bytes());
        options::arguments(boot.command_line.as_bytes(), loader)
    });
    text::<1024>(to, line)
}

/// The identifier of this build: the package's version, since nothing else tells builds apart.
fn build_id(to: u64) -> Answer {
    let id = env!("CARGO_PKG_VERSION").as_bytes();
    if to == 0 {
        return Ok(id.len() as u64);
    }
    let room = guest::read::<BuildId>(to)?.len;
    if room == 0 {
        return refuse(Errno::EINVAL, "the build identifier needs room");
    }
    if (room as usize) < id.len() {
        return refuse(Errno::ENOBUFS, "the build identifier needs more room");
    }
    guest::write_bytes(
        to.wrapping_add(BuildId::new_zeroed().as_bytes().len() as u64),
        id,
    )?;
    Ok(id.len() as u64)
}
