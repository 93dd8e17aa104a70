//! One pass over the line: each word finds its option and sets it.

use crate::console::{Consoles, SwitchKey, TimestampFormat, Vga};
use crate::documented::is_documented;
use crate::levels::{LevelPair, LogLevel};
use crate::machine::{
    BootScrub, ClockSource, Granularity, Hpet, NmiAction, RebootItem, Scheduler, SupervisorGuard,
    TscTrust, VcpuCount, Watchdog,
};
use crate::memory::Dom0Memory;
use crate::notices::{Fatal, Notice};
use crate::serial::SerialPort;
use crate::values::{boolean, named_boolean, size, unsigned32};
use crate::words::words;
use crate::{Options, Parsed};

/// What a boolean takes, as a warning says it.
const A_BOOLEAN: &str = "a boolean: yes, no, on, off, true, false, enable, disable, 1 or 0";
/// What a size takes, as a warning says it.
const A_SIZE: &str = "a size such as 32k or 4G";
/// What a count takes, as a warning says it.
const A_COUNT: &str = "a number";

/// A word of the line, taken apart.
#[derive(Clone, Copy)]
struct Word<'a> {
    /// What the option is looked up by.
    name: &'a str,
    /// What follows the equals sign; `None` where there is none.
    value: Option<&'a str>,
}

/// Parses a whole line.
pub(crate) fn line(line: &[u8]) -> Parsed<'_> {
    let mut state = State {
        parsed: Parsed::default(),
        console: None,
    };
    for bytes in words(line) {
        match core::str::from_utf8(bytes) {
            Ok(word) => state.word(word),
            Err(_) => state.parsed.notices.push(Notice::NotText),
        }
    }
    state.parsed
}

/// The answer so far, and what the line said that a later word may contradict.
struct State<'a> {
    parsed: Parsed<'a>,
    /// The value of `console=`, once seen.
    console: Option<&'a str>,
}

impl<'a> State<'a> {
    fn word(&mut self, word: &'a str) {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        if self.set(Word { name, value }) {
            return;
        }
        // `no-NAME` is the negative of a boolean; a name that begins so in its own right was found above.
        let negated = word.strip_prefix("no-").filter(|_| value.is_none());
        if let Some(name) = negated {
            let value = Some("no");
            if self.set(Word { name, value }) {
                return;
            }
        }
        let known = is_documented(name) || negated.is_some_and(is_documented);
        self.parsed.notices.push(if known {
            Notice::WithoutEffect { name }
        } else {
            Notice::Unknown { name }
        });
    }

    /// Sets the option the word names; whether there is one.
    fn set(&mut self, word: Word<'a>) -> bool {
        self.set_console(word)
            || self.set_dom0(word)
            || self.set_flag(word)
            || self.set_machine(word)
            || self.set_scheduler(word)
            || self.set_time(word)
    }

    fn complain(&mut self, name: &'a str, value: &'a str, expected: &'static str) {
        self.parsed.notices.push(Notice::BadValue {
            name,
            value,
            expected,
        });
    }

    /// Stores what `read` makes of the word's value by `store`, or complains.
    fn take<T>(
        &mut self,
        word: Word<'a>,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
        store: impl FnOnce(&mut Options<'a>, T),
    ) {
        let value = word.value.unwrap_or("");
        match read(value) {
            Some(setting) => store(&mut self.parsed.options, setting),
            None => self.complain(word.name, value, expected),
        }
    }

    /// The same for values that read a bare name as true.
    fn take_switch<T>(
        &mut self,
        word: Word<'a>,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
        store: impl FnOnce(&mut Options<'a>, T),
    ) {
        let value = word.value.or(Some("yes"));
        self.take(Word { value, ..word }, expected, read, store);
    }

    fn set_console(&mut self, word: Word<'a>) -> bool {
        let value = word.value.unwrap_or("");
        let Parsed {
            options, notices, ..
        } = &mut self.parsed;
        let complain = |value: &'a str, expected| {
            notices.push(Notice::BadValue {
                name: word.name,
                value,
                expected,
            });
        };
        match word.name {
            "com1" => options.com1 = Some(SerialPort::from_value(value, false, complain)),
            "com2" => options.com2 = Some(SerialPort::from_value(value, true, complain)),
            "vga" => options.vga = Vga::from_value(value, complain),
            "console" => match self.console {
                None => {
                    self.console = Some(value);
                    options.consoles = Consoles::from_value(value, complain);
                }
                Some(first) => self.fatal(Fatal::SecondConsole {
                    first,
                    second: value,
                }),
            },
            "conswitch" => self.take(
                word,
                SwitchKey::EXPECTED,
                SwitchKey::from_value,
                |options, key| options.switch_key = key,
            ),
            "console_timestamps" => self.take(
                word,
                TimestampFormat::EXPECTED,
                TimestampFormat::from_value,
                |options, format| options.timestamps = format,
            ),
            "conring_size" => self.take(word, A_SIZE, size, |options, bytes| {
                options.console_ring_bytes = Some(bytes);
            }),
            "loglvl" => self.take(
                word,
                LogLevel::EXPECTED,
                LevelPair::from_value,
                |options, levels| options.log_level = levels,
            ),
            "guest_loglvl" => self.take(
                word,
                LogLevel::EXPECTED,
                LevelPair::from_value,
                |options, levels| options.guest_log_level = levels,
            ),
            _ => return false,
        }
        true
    }

    /// Keeps the first mistake only: it is the one to mend first.
    fn fatal(&mut self, fatal: Fatal<'a>) {
        self.parsed.fatal.get_or_insert(fatal);
    }

    fn set_dom0(&mut self, word: Word<'a>) -> bool {
        let value = word.value.unwrap_or("");
        match word.name {
            "dom0_mem" => {
                let Parsed {
                    options, notices, ..
                } = &mut self.parsed;
                options.dom0_memory = Dom0Memory::from_value(value, |value, expected| {
                    notices.push(Notice::BadValue {
                        name: word.name,
                        value,
                        expected,
                    });
                });
            }
            "dom0_max_vcpus" => self.take(
                word,
                VcpuCount::EXPECTED,
                VcpuCount::from_value,
                |options, count| options.dom0_vcpus = count,
            ),
            "dom0" => self.set_dom0_list(word.name, value),
            "cpuid" => self.parsed.options.cpuid = value,
            "dom0-cpuid" => self.parsed.options.dom0_cpuid = value,
            _ => return false,
        }
        true
    }

    fn set_dom0_list(&mut self, name: &'a str, value: &'a str) {
        for item in value.split(',').filter(|item| !item.is_empty()) {
            let options = &mut self.parsed.options;
            if item == "pvh" || named_boolean(item, "pvh") == Some(true) {
                self.fatal(Fatal::Dom0NotPv);
            } else if let Some(on) = named_boolean(item, "verbose") {
                options.dom0_verbose = on;
            } else if let Some(on) = named_boolean(item, "msr-relaxed") {
                options.dom0_msr_relaxed = on;
            } else if item != "pv" {
                let expected = match named_boolean(item, "shadow")
                    .or_else(|| named_boolean(item, "cpuid-faulting"))
                {
                    Some(_) => "pv, verbose or msr-relaxed (this one has no effect)",
                    None => "pv, verbose or msr-relaxed",
                };
                self.complain(name, item, expected);
            }
        }
    }

    /// The plain booleans.
    fn set_flag(&mut self, word: Word<'a>) -> bool {
        let store: fn(&mut Options<'a>, bool) = match word.name {
            "sync_console" => |options, on| options.sync_console = on,
            "console_to_ring" => |options, on| options.console_to_ring = on,
            "noreboot" => |options, on| options.no_reboot = on,
            "nosmp" => |options, on| {
                if on {
                    options.max_cpus = Some(1);
                }
            },
            "noapic" => |options, on| options.no_io_apic = on,
            "x2apic" => |options, on| options.x2apic = on,
            "xsave" => |options, on| options.xsave = on,
            "dom0_vcpus_pin" => |options, on| options.dom0_vcpus_pinned = on,
            _ => return false,
        };
        self.take_switch(word, A_BOOLEAN, boolean, store);
        true
    }

    fn set_scheduler(&mut self, word: Word<'a>) -> bool {
        match word.name {
            "sched" => self.take(
                word,
                Scheduler::EXPECTED,
                Scheduler::from_value,
                |options, scheduler| options.scheduler = Some(scheduler),
            ),
            "sched-gran" => self.take(
                word,
                Granularity::EXPECTED,
                Granularity::from_value,
                |options, granularity| options.granularity = Some(granularity),
            ),
            "sched_ratelimit_us" => self.take(word, A_COUNT, unsigned32, |options, micros| {
                options.rate_limit_micros = Some(micros);
            }),
            "sched_credit_tslice_ms" => self.take(word, A_COUNT, unsigned32, |options, millis| {
                options.credit_slice_millis = Some(millis);
            }),
            _ => return false,
        }
        true
    }

    fn set_machine(&mut self, word: Word<'a>) -> bool {
        match word.name {
            // One CPU always runs, so that 0 means the same as 1.
            "maxcpus" => self.take(word, A_COUNT, unsigned32, |options, count| {
                options.max_cpus = Some(count.max(1));
            }),
            "smep" => self.take_switch(
                word,
                SupervisorGuard::EXPECTED,
                SupervisorGuard::from_value,
                |options, guard| options.smep = guard,
            ),
            "smap" => self.take_switch(
                word,
                SupervisorGuard::EXPECTED,
                SupervisorGuard::from_value,
                |options, guard| options.smap = guard,
            ),
            // Which guests get it (`xpti`, `no-xpti`) is not distinguished: both read as true.
            "pcid" => self.take_switch(
                word,
                "a boolean, xpti or no-xpti",
                |value| boolean(value).or(matches!(value, "xpti" | "no-xpti").then_some(true)),
                |options, on| options.pcid = on,
            ),
            "mem" => self.take(word, A_SIZE, size, |options, bytes| {
                options.memory_limit = (bytes != 0).then_some(bytes);
            }),
            "availmem" => self.take(word, A_SIZE, size, |options, bytes| {
                options.available_limit = (bytes != 0).then_some(bytes);
            }),
            "low_mem_virq_limit" => self.take(word, A_SIZE, size, |options, bytes| {
                options.low_memory_bytes = bytes;
            }),
            "bootscrub" => self.take_switch(
                word,
                BootScrub::EXPECTED,
                BootScrub::from_value,
                |options, scrub| options.boot_scrub = scrub,
            ),
            "reboot" => self.set_reboot(word.name, word.value.unwrap_or("")),
            _ => return false,
        }
        true
    }

    fn set_reboot(&mut self, name: &'a str, value: &'a str) {
        for item in value.split(',').filter(|item| !item.is_empty()) {
            let options = &mut self.parsed.options;
            match RebootItem::from_item(item) {
                Some(RebootItem::By(method)) => options.reboot_method = Some(method),
                Some(RebootItem::Never) => options.no_reboot = true,
                Some(RebootItem::Warm(warm)) => options.reboot_warm = warm,
                None => self.complain(name, item, RebootItem::EXPECTED),
            }
        }
    }

    fn set_time(&mut self, word: Word<'a>) -> bool {
        match word.name {
            "acpi" => {
                let mut acpi = self.parsed.options.acpi;
                self.take_switch(
                    word,
                    crate::Acpi::EXPECTED,
                    |value| acpi.apply(value).map(|()| acpi),
                    |options, acpi| options.acpi = acpi,
                );
            }
            "hpet" => {
                let Parsed {
                    options, notices, ..
                } = &mut self.parsed;
                let value = word.value.unwrap_or("yes");
                options.hpet = Hpet::from_value(value, |value, expected| {
                    notices.push(Notice::BadValue {
                        name: word.name,
                        value,
                        expected,
                    });
                });
            }
            "clocksource" => self.take(
                word,
                ClockSource::EXPECTED,
                ClockSource::from_value,
                |options, source| options.clock_source = Some(source),
            ),
            "tsc" => self.take(
                word,
                TscTrust::EXPECTED,
                TscTrust::from_value,
                |options, trust| options.tsc = Some(trust),
            ),
            "watchdog" => self.take_switch(
                word,
                Watchdog::EXPECTED,
                Watchdog::from_value,
                |options, watchdog| options.watchdog = watchdog,
            ),
            "watchdog_timeout" => self.take(word, A_COUNT, unsigned32, |options, seconds| {
                options.watchdog_seconds = (seconds != 0).then_some(seconds);
            }),
            "nmi" => self.take(
                word,
                NmiAction::EXPECTED,
                NmiAction::from_value,
                |options, action| options.nmi = action,
            ),
            _ => return false,
        }
        true
    }
}
