//! Tests on kernels put together here: every format, every refusal, and no harm by damaged files.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

mod elf;
mod formats;
mod refusals;

use crate::*;

/// Puts a payload (with its size appended, except for gzip) behind the setup part of a bzImage.
fn bzimage(payload: &[u8]) -> Vec<u8> {
    const SETUP_SECTORS: usize = 3;
    let start = (SETUP_SECTORS + 1) * 512;
    let mut image = vec![0; start];
    image[0x1f1] = SETUP_SECTORS as u8;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20f_u16.to_le_bytes());
    // Sixteen bytes of code before the payload and after it.
    image[0x248..0x24c].copy_from_slice(&16_u32.to_le_bytes());
    image[0x24c..0x250].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    image.extend([0x90; 16]);
    image.extend(payload);
    image.extend([0x90; 16]);
    image
}

/// A payload with its unpacked size appended, as Linux does.
fn sized(mut payload: Vec<u8>, unpacked: usize) -> Vec<u8> {
    payload.extend((unpacked as u32).to_le_bytes());
    payload
}

/// Recognises, unpacks and examines a file; the kernel's first and last address.
fn run(file: &[u8]) -> Result<(u64, u64), ImageError> {
    let container = recognise(file)?;
    if let Some(elf) = container.as_elf() {
        return examine(elf, Features::PV_DOM0).map(|kernel| (kernel.start.0, kernel.end.0));
    }
    let mut buffer = vec![0xaa; container.unpacked_bytes()];
    let elf = container.unpack(&mut buffer)?;
    examine(elf, Features::PV_DOM0).map(|kernel| (kernel.start.0, kernel.end.0))
}
