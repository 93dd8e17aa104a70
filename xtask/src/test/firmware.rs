//! Damages the firmware's tables after the firmware has written them and before the hypervisor
//! reads them: through QEMU's debugger port, stopped at the image's entry point.

use anyhow::{bail, Context, Result};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where a BIOS leaves the pointer to the ACPI tables.
const BIOS_AREA: std::ops::Range<u64> = 0xe_0000..0x10_0000;

/// What is damaged.
#[derive(Clone, Copy, Debug)]
pub enum Damage {
    /// The root pointer's checksum.
    RootPointer,
    /// The checksum of the table that lists processors and interrupt controllers.
    Madt,
}

/// Waits for the image's first instruction, does the damage, and lets the machine go on.
///
/// The machine must have been started with `-S -gdb tcp:127.0.0.1:PORT`.
pub fn damage(port: u16, image: &Path, what: Damage) -> Result<()> {
    let mut debugger = Debugger::connect(port)?;
    let entry = entry_point(image)?;
    debugger.ask(&format!("Z1,{entry:x},1"))?;
    debugger.send("c")?;
    debugger.receive(Duration::from_secs(60))?;
    let pointer = root_pointer(&mut debugger)?;
    let target = match what {
        Damage::RootPointer => pointer,
        Damage::Madt => table(&mut debugger, pointer, b"APIC")?,
    };
    // Past the signature, so that the thing is found and then fails its checksum.
    let victim = target + 9;
    let byte = debugger.read(victim, 1)?.first().copied().unwrap_or(0);
    debugger.ask(&format!("M{victim:x},1:{:02x}", byte ^ 0xff))?;
    debugger.ask(&format!("z1,{entry:x},1"))?;
    debugger.send("D")?;
    Ok(())
}

/// The entry point of a 32-bit ELF file.
fn entry_point(image: &Path) -> Result<u64> {
    let bytes = std::fs::read(image)?;
    let field = bytes.get(24..28).context("the image has no ELF header")?;
    Ok(little_endian(field))
}

fn root_pointer(debugger: &mut Debugger) -> Result<u64> {
    const STEP: u64 = 1024;
    let mut at = BIOS_AREA.start;
    while at < BIOS_AREA.end {
        let block = debugger.read(at, STEP)?;
        for (offset, chunk) in (0..STEP).step_by(16).zip(block.chunks(16)) {
            if chunk.starts_with(b"RSD PTR ") {
                return Ok(at + offset);
            }
        }
        at += STEP;
    }
    bail!("the firmware left no ACPI root pointer")
}

/// The address of the table with this signature, by the root table of 32-bit pointers.
fn table(debugger: &mut Debugger, pointer: u64, signature: &[u8]) -> Result<u64> {
    let root = little_endian(&debugger.read(pointer + 16, 4)?);
    let length = little_endian(&debugger.read(root + 4, 4)?);
    for entry in (36..length).step_by(4) {
        let address = little_endian(&debugger.read(root + entry, 4)?);
        if debugger.read(address, 4)? == signature {
            return Ok(address);
        }
    }
    bail!("the firmware has no such ACPI table")
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// QEMU's debugger port: the remote protocol of gdb (its manual's appendix E), as much as we need.
struct Debugger {
    connection: TcpStream,
}

impl Debugger {
    fn connect(port: u16) -> Result<Self> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(connection) => return Ok(Self { connection }),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn send(&mut self, packet: &str) -> Result<()> {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        Ok(write!(self.connection, "${packet}#{sum:02x}")?)
    }

    /// The next packet's content.
    fn receive(&mut self, limit: Duration) -> Result<String> {
        self.connection.set_read_timeout(Some(limit))?;
        let mut packet = Vec::new();
        let mut byte = [0];
        loop {
            self.connection
                .read_exact(&mut byte)
                .context("QEMU's debugger port says nothing")?;
            match byte {
                [b'$'] => packet.clear(),
                [b'#'] => break,
                [other] => packet.push(other),
            }
        }
        let mut sum = [0; 2];
        self.connection.read_exact(&mut sum)?;
        self.connection.write_all(b"+")?;
        Ok(String::from_utf8_lossy(&packet).into_owned())
    }

    fn ask(&mut self, packet: &str) -> Result<String> {
        self.send(packet)?;
        let answer = self.receive(Duration::from_secs(10))?;
        if answer.starts_with('E') {
            bail!("QEMU's debugger port refuses `{packet}`: {answer}");
        }
        Ok(answer)
    }

    fn read(&mut self, address: u64, length: u64) -> Result<Vec<u8>> {
        let digits = self.ask(&format!("m{address:x},{length:x}"))?;
        let pair = |pair: &[u8]| {
            let text = std::str::from_utf8(pair)?;
            Ok(u8::from_str_radix(text, 16)?)
        };
        digits.as_bytes().chunks(2).map(pair).collect()
    }
}

#[cfg(test)]
mod tests;
