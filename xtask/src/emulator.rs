//! A running QEMU, or Bochs: its serial console as lines to wait for, its control socket, its end.
//!
//! It ends when the value is dropped, and when this process dies.

use crate::bochs;
use crate::machine::{Machine, Program};
use crate::process;
use anyhow::{anyhow, bail, Context, Result};
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Why the machine stopped, as QEMU tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was powered off.
    PoweredOff,
    /// It was reset (on purpose, or by a triple fault).
    Reset,
    /// QEMU ended without saying why.
    Unknown,
}

/// A line of the console and when it was complete.
#[derive(Clone, Debug)]
pub struct Line {
    /// Without line ends and colours.
    pub text: String,
    /// Since power-on.
    pub at: Duration,
}

/// The machine still ran, and what was waited for was not said in time: what, in how long, and the last line.
#[derive(Debug)]
pub struct Silence(pub String);

impl fmt::Display for Silence {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl std::error::Error for Silence {}

#[derive(Default)]
struct Heard {
    lines: Vec<Line>,
    ended: bool,
}

/// One running machine.
pub struct Emulator {
    child: Child,
    keyboard: ChildStdin,
    heard: Arc<(Mutex<Heard>, Condvar)>,
    /// Lines before this one have been waited for.
    next: usize,
    control: Option<UnixStream>,
    socket: PathBuf,
}

static STARTED: AtomicU32 = AtomicU32::new(0);

impl Emulator {
    /// Switches a machine on; the console goes to the file `log` too.
    pub fn start(machine: &Machine, log: &Path) -> Result<Self> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let socket = std::env::temp_dir().join(format!("xenolith-{}-{number}", std::process::id()));
        let mut command = match machine.program {
            Program::Qemu => qemu(machine, &socket),
            Program::Bochs => {
                let folder = log.with_extension("bochs");
                bochs::command(machine, tied_to_us, &folder)?
            }
        };
        let mut file =
            File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        writeln!(file, "{}", process::name(&command))?;
        let start = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file.try_clone()?)
            .spawn()
            .context("cannot start the emulator")?;
        let (Some(mut keyboard), Some(console)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the emulator has no console");
        };
        if machine.program == Program::Bochs {
            keyboard.write_all(bochs::GO)?;
        }
        let heard = Arc::new((Mutex::new(Heard::default()), Condvar::new()));
        let shared = Arc::clone(&heard);
        thread::spawn(move || listen(console, file, &shared, start));
        Ok(Self {
            child,
            keyboard,
            heard,
            next: 0,
            control: None,
            socket,
        })
    }

    /// Waits for the first line, after those already waited for, that contains one of the texts.
    ///
    /// An error if the machine stops before it, and a [`Silence`] if `limit` passes.
    pub fn wait_for(&mut self, texts: &[&str], limit: Duration) -> Result<Line> {
        let deadline = Instant::now() + limit;
        let (lock, changed) = &*self.heard;
        let mut heard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            while let Some(line) = heard.lines.get(self.next) {
                self.next += 1;
                if texts.iter().any(|text| line.text.contains(text)) {
                    return Ok(line.clone());
                }
            }
            let wanted = texts.join("' or '");
            if heard.ended {
                let last = heard.lines.last().map_or("", |line| line.text.as_str());
                bail!("the machine stopped before it said '{wanted}'; its last line: {last}");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let last = heard.lines.last().map_or("", |line| line.text.as_str());
                let seconds = limit.as_secs();
                let silence = format!("no '{wanted}' in {seconds} s; the last line: {last}");
                return Err(Silence(silence).into());
            }
            heard = changed
                .wait_timeout(heard, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// All that the console has said so far.
    pub fn lines(&self) -> Vec<Line> {
        let heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.lines.clone()
    }

    /// Types on the serial console.
    pub fn send(&mut self, text: &str) -> Result<()> {
        self.keyboard.write_all(text.as_bytes())?;
        Ok(self.keyboard.flush()?)
    }

    /// Waits for the machine to stop and says how it did.
    pub fn wait_stopped(&mut self, limit: Duration) -> Result<Stopped> {
        let deadline = Instant::now() + limit;
        let mut events = String::new();
        self.control()?;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("the machine still runs after {} s", limit.as_secs());
            }
            let mut bytes = [0; 4096];
            let read = match &mut self.control {
                Some(control) => control.read(&mut bytes),
                None => Ok(0),
            };
            match read {
                Ok(0) => thread::sleep(Duration::from_millis(20)),
                Ok(length) => {
                    let part = bytes.get(..length).unwrap_or_default();
                    events.push_str(&String::from_utf8_lossy(part));
                }
                Err(_) => {} // nothing yet: the socket has a read timeout
            }
        }
        Ok(if events.contains("\"reason\": \"guest-shutdown\"") {
            Stopped::PoweredOff
        } else if events.contains("\"reason\": \"guest-reset\"") {
            Stopped::Reset
        } else {
            Stopped::Unknown
        })
    }

    /// Whether every processor stands in a `hlt`.
    pub fn is_halted(&mut self) -> Result<bool> {
        let registers = self.monitor("info registers -a")?;
        let count = |text: &str| registers.matches(text).count();
        Ok(count("HLT=1") > 0 && count("HLT=0") == 0)
    }

    /// Asks QEMU's human monitor and gives its answer as it comes: a JSON string.
    pub fn monitor(&mut self, question: &str) -> Result<String> {
        let request = format!(
            "{{\"execute\": \"human-monitor-command\", \
             \"arguments\": {{\"command-line\": \"{question}\"}}}}\n"
        );
        let control = self.control()?;
        control.write_all(request.as_bytes())?;
        read_until(control, "\"return\": \"")
    }

    /// Processor time that QEMU has used, from `/proc/PID/stat` (in ticks of 10 ms).
    pub fn processor_time(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat
            .rsplit_once(')')
            .ok_or_else(|| anyhow!("/proc/PID/stat has no name"))?;
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        Ok(Duration::from_millis(ticks.saturating_mul(10)))
    }

    /// The control socket, connected and past its greeting.
    fn control(&mut self) -> Result<&mut UnixStream> {
        if self.control.is_none() {
            let mut control =
                UnixStream::connect(&self.socket).context("cannot reach QEMU's control socket")?;
            control.set_read_timeout(Some(Duration::from_millis(100)))?;
            control.write_all(b"{\"execute\": \"qmp_capabilities\"}\n")?;
            read_until(&mut control, "\"return\": {")?;
            self.control = Some(control);
        }
        self.control.as_mut().context("no control socket")
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// The command that runs a machine on QEMU.
fn qemu(machine: &Machine, socket: &Path) -> Command {
    let mut command = tied_to_us("qemu-system-x86_64".as_ref());
    command
        .args(machine.arguments())
        .args(["-display", "none", "-vga", "none", "-no-reboot"])
        .args(["-serial", "stdio", "-qmp"])
        .arg(format!("unix:{},server=on,wait=off", socket.display()));
    command
}

/// A command whose process the kernel ends when the thread that starts it does.
fn tied_to_us(program: &OsStr) -> Command {
    if !process::exists("setpriv") {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

/// Copies the console into the log and splits it into lines, until QEMU ends.
fn listen(console: impl Read, mut log: File, shared: &(Mutex<Heard>, Condvar), start: Instant) {
    let (lock, changed) = shared;
    let mut reader = BufReader::new(console);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(length) if length > 0) {
        // A log that cannot be written must not stop the test.
        let _ = log.write_all(&bytes);
        let line = Line {
            text: plain(&bytes),
            at: start.elapsed(),
        };
        bytes.clear();
        let mut heard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        heard.lines.push(line);
        changed.notify_all();
    }
    let mut heard = lock.lock().unwrap_or_else(PoisonError::into_inner);
    heard.ended = true;
    changed.notify_all();
}

/// Reads the control socket until a text and the end of its line.
fn read_until(control: &mut UnixStream, text: &str) -> Result<String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut answer = String::new();
    let mut bytes = [0; 4096];
    while Instant::now() < deadline {
        let length = match control.read(&mut bytes) {
            Ok(0) => bail!("QEMU closed its control socket"),
            Ok(length) => length,
            Err(_) => continue, // the read timeout
        };
        answer.push_str(&String::from_utf8_lossy(
            bytes.get(..length).unwrap_or_default(),
        ));
        if answer
            .find(text)
            .is_some_and(|at| answer.get(at..).is_some_and(|rest| rest.contains('\n')))
        {
            return Ok(answer);
        }
    }
    bail!("QEMU's control socket does not answer")
}

/// A console line without line ends, other control characters, and terminal sequences.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut result = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' && characters.peek() == Some(&'[') {
            let _ = characters.find(char::is_ascii_alphabetic);
        } else if !character.is_control() || character == '\t' {
            result.push(character);
        }
    }
    result
}

#[cfg(test)]
mod tests;
