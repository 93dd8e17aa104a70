//! Tests of the command line as a whole.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used
)]

use proptest::prelude::*;

use crate::*;

/// The options of a line that nothing is to be said about.
fn clean(line: &str) -> Options<'_> {
    let parsed = parse(line.as_bytes());
    let notices: Vec<String> = parsed.notices.iter().map(ToString::to_string).collect();
    assert!(notices.is_empty(), "{line}: {notices:?}");
    assert_eq!(parsed.fatal, None);
    parsed.options
}

/// What is said about a line.
fn said(line: &str) -> Vec<String> {
    parse(line.as_bytes())
        .notices
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn the_line_of_the_rig() {
    let options =
        clean("com1=115200,8n1 console=com1 loglvl=all guest_loglvl=all dom0_mem=1024M noreboot");
    assert_eq!(options.com1, Some(SerialPort::standard(false)));
    assert_eq!(options.com2, None);
    let com1 = Consoles {
        com1: true,
        ..Consoles::NONE
    };
    assert_eq!(options.consoles, com1);
    assert_eq!(options.log_level.always, LogLevel::Debug);
    assert_eq!(options.guest_log_level.limited, LogLevel::Debug);
    let plan = options.dom0_memory.plan(3 << 30, 2900 << 20).unwrap();
    assert_eq!((plan.initial, plan.maximum), (1 << 30, None));
    assert!(options.no_reboot);
}

#[test]
fn an_empty_line_is_the_default() {
    assert_eq!(clean(""), Options::default());
    assert_eq!(clean(" \t  "), Options::default());
    assert_eq!(parse(b"\0").options, Options::default());
}

#[test]
fn unknown_options_are_named_and_documented_ones_told_apart() {
    assert_eq!(
        said("frobnicate=7 iommu=no-intremap spec-ctrl=eager-fpu ivrs_hpet[1]=0:14.0"),
        [
            "unknown option \"frobnicate\" ignored",
            "option \"iommu\" has no effect in this version, ignored",
            "option \"spec-ctrl\" has no effect in this version, ignored",
            "option \"ivrs_hpet[1]\" has no effect in this version, ignored",
        ]
    );
    assert_eq!(
        said("no-real-mode no-hap no-such"),
        [
            "option \"no-real-mode\" has no effect in this version, ignored",
            "option \"no-hap\" has no effect in this version, ignored",
            "unknown option \"no-such\" ignored",
        ]
    );
}

#[test]
fn a_second_console_is_fatal_but_the_first_one_is_in_force() {
    let parsed = parse(b"console=com2 loglvl=info console=vga");
    assert_eq!(
        parsed.fatal.unwrap().to_string(),
        "two console= options, \"com2\" and \"vga\": give one with a list, such as console=com2,vga"
    );
    assert!(parsed.options.consoles.com2 && !parsed.options.consoles.vga);
    assert_eq!(parsed.options.log_level.always, LogLevel::Info);
}

#[test]
fn consoles() {
    let of = |line| clean(line).consoles;
    assert_eq!(of("console=none"), Consoles::NONE);
    let all = Consoles {
        com1: true,
        com2: true,
        vga: true,
    };
    assert_eq!(of("console=com2,vga,com1"), all);
    assert_eq!(
        said("console=dbgp"),
        ["option \"console\": \"dbgp\" ignored, expected a list of com1, com2 and vga, or none"]
    );
    let mistyped = parse(b"console=serial").options.consoles;
    assert_eq!(mistyped, Consoles::default());
}

#[test]
fn serial_ports() {
    let port = |line| clean(line).com1.unwrap();
    assert_eq!(port("com1=auto").baud, Baud::Auto);
    assert_eq!(port("com1=auto").divisor(), None);
    let full = port("com1=9600/921600,7e2,0x3e8,5");
    assert_eq!(full.divisor(), Some(96));
    assert_eq!(
        (full.data_bits, full.parity, full.stop_bits),
        (7, Parity::Even, 2)
    );
    assert_eq!((full.io_base, full.irq), (0x3e8, Some(5)));
    assert_eq!(port("com1=115200,,0x2f8,0").irq, None);
    let named = port("com1=baud=57600,parity=o,stop-bits=1,io-base=0x2f8,clock-hz=1843200");
    assert_eq!((named.divisor(), named.parity), (Some(2), Parity::Odd));
    assert_eq!(clean("com2=115200").com2.unwrap().io_base, 0x2f8);
    for bad in [
        "0",
        "fast",
        "115200,9n1",
        "115200,8x1",
        "115200,8n1,pci",
        "115200,8n1,0x3f8,99",
    ] {
        assert_eq!(said(&format!("com1={bad}")).len(), 1, "{bad}");
    }
}

#[test]
fn booleans_in_every_spelling() {
    for on in ["yes", "on", "true", "enable", "1"] {
        assert!(clean(&format!("sync_console={on}")).sync_console);
    }
    for off in ["no", "off", "false", "disable", "0"] {
        assert!(!clean(&format!("x2apic={off}")).x2apic);
    }
    assert!(clean("sync_console").sync_console);
    assert!(!clean("sync_console no-sync_console").sync_console);
    assert!(!clean("no-x2apic").x2apic);
    assert_eq!(clean("no-smep").smep, SupervisorGuard::Off);
    assert_eq!(clean("smap=hvm").smap, SupervisorGuard::GuestsOnly);
    assert_eq!(clean("watchdog=force").watchdog, Watchdog::Force);
    assert_eq!(clean("no-bootscrub").boot_scrub, BootScrub::Off);
    assert_eq!(said("noreboot=perhaps").len(), 1);
}

#[test]
fn memory_amounts() {
    const HOST: u64 = 8 << 30;
    const FREE: u64 = 7 << 30;
    let plan = |value: &str| {
        let line = format!("dom0_mem={value}");
        let plan = clean(&line).dom0_memory.plan(HOST, FREE);
        plan.map(|plan| (plan.initial >> 20, plan.maximum.map(|bytes| bytes >> 20)))
    };
    assert_eq!(plan("1G"), Ok((1024, None)));
    assert_eq!(plan("1048576"), Ok((1024, None)));
    assert_eq!(plan("0x40000k"), Ok((256, None)));
    assert_eq!(plan("-512M"), Ok((6656, None)));
    assert_eq!(plan("50%"), Ok((4096, None)));
    assert_eq!(plan("1G+25%"), Ok((3072, None)));
    assert_eq!(plan("-25%"), Ok((5120, None)));
    assert_eq!(plan("512M,max:1G"), Ok((512, Some(1024))));
    assert_eq!(plan("max:1G"), Ok((1024, Some(1024))));
    assert_eq!(plan("512M,min:768M"), Ok((768, None)));
    assert_eq!(plan("min:2G,max:1G,512M"), Ok((1024, Some(1024))));
    assert_eq!(
        plan("16G").unwrap_err().to_string(),
        "dom0_mem asks for 16384 MiB but only 7168 MiB are free: ask for less, or leave dom0_mem out"
    );
    assert_eq!(plan("-8G"), Err(MemoryError::Nothing { available: FREE }));
    let unasked = clean("").dom0_memory.plan(HOST, FREE).unwrap();
    assert_eq!(unasked.initial, FREE - (128 << 20));
    for bad in ["lots", "1X", "100%", "1G+", "min:", "--1G", "1G-1%"] {
        assert_eq!(said(&format!("dom0_mem={bad}")).len(), 1, "{bad}");
    }
}

#[test]
fn counts_of_processors() {
    assert_eq!(clean("maxcpus=4").max_cpus, Some(4));
    assert_eq!(clean("maxcpus=0").max_cpus, Some(1));
    assert_eq!(clean("nosmp").max_cpus, Some(1));
    let on = |value: &str, cpus| {
        clean(&format!("dom0_max_vcpus={value}"))
            .dom0_vcpus
            .on(cpus)
    };
    assert_eq!(
        [2, 4, 6, 8, 10].map(|cpus| on("4-8", cpus)),
        [4, 4, 6, 8, 8]
    );
    assert_eq!((on("3", 1), on("3", 8)), (3, 3));
    assert_eq!((on("-2", 8), on("2-", 1), on("2-", 9)), (2, 2, 9));
    assert_eq!(VcpuCount::default().on(5), 5);
    for bad in ["0", "8-4", "many", "0-0"] {
        assert_eq!(said(&format!("dom0_max_vcpus={bad}")).len(), 1, "{bad}");
    }
}

#[test]
fn log_levels() {
    let levels = clean("loglvl=error/debug").log_level;
    assert_eq!(
        (levels.always, levels.limited),
        (LogLevel::Error, LogLevel::Debug)
    );
    // The second is never below the first.
    let levels = clean("guest_loglvl=info/none").guest_log_level;
    assert_eq!(levels.to_string(), "info/info");
    assert_eq!(
        LevelPair::from_value("none/all").map(|pair| pair.to_string()),
        Some("none/all".into())
    );
    assert_eq!(levels.limited, LogLevel::Info);
    assert_eq!(
        said("loglvl=loud"),
        ["option \"loglvl\": \"loud\" ignored, expected none, error, warning, info, debug or all, or two of these with \"/\" between"]
    );
}

#[test]
fn the_kinds_of_dom0() {
    let options = clean("dom0=pv,verbose,msr-relaxed=1");
    assert!(options.dom0_verbose && options.dom0_msr_relaxed);
    let parsed = parse(b"dom0=pvh");
    assert_eq!(
        parsed.fatal.unwrap().to_string(),
        "dom0=pvh is not supported: dom0 is para-virtualized, use dom0=pv or leave the option out"
    );
    assert_eq!(said("dom0=shadow").len(), 1);
    assert_eq!(said("dom0=quick").len(), 1);
}

#[test]
fn the_rest_of_the_machine() {
    let options = clean(
        "clocksource=hpet tsc=stable:socket sched=null sched-gran=core acpi=noirq reboot=k,warm nmi=fatal \
         hpet=no,legacy-replacement conswitch=bx console_timestamps=datems mem=4G availmem=2G \
         sched_ratelimit_us=500 sched_credit_tslice_ms=5 conring_size=64k watchdog_timeout=10 vga=current,keep cpuid=no-avx dom0_vcpus_pin no-xsave",
    );
    assert_eq!(options.clock_source, Some(ClockSource::Hpet));
    assert_eq!(options.tsc, Some(TscTrust::StableSocket));
    assert_eq!(options.scheduler, Some(Scheduler::Null));
    assert_eq!(options.granularity, Some(Granularity::Core));
    assert_eq!(options.rate_limit_micros, Some(500));
    assert_eq!(options.credit_slice_millis, Some(5));
    assert!(options.acpi.enabled && options.acpi.no_interrupts);
    assert_eq!(options.reboot_method, Some(RebootMethod::Keyboard));
    assert!(options.reboot_warm && !options.no_reboot);
    assert_eq!(options.nmi, NmiAction::Fatal);
    assert!(!options.hpet.enabled);
    assert_eq!(options.hpet.legacy_replacement, Some(true));
    assert_eq!(options.switch_key.control, Some(2));
    assert!(!options.switch_key.to_dom0_at_boot);
    assert_eq!(options.timestamps, TimestampFormat::DateMilliseconds);
    assert_eq!(options.memory_limit, Some(4 << 30));
    assert_eq!(options.available_limit, Some(2 << 30));
    assert_eq!(options.console_ring_bytes, Some(65536));
    assert_eq!(options.watchdog_seconds, Some(10));
    assert!(options.vga.keep && options.dom0_vcpus_pinned && !options.xsave);
    assert_eq!(options.cpuid, "no-avx");
    assert!(clean("reboot=no").no_reboot);
    assert!(!clean("acpi=off").acpi.enabled);
}

#[test]
fn image_names_are_cut_off_where_the_loader_gives_them() {
    let line = b"xen.elf com1=115200 noreboot\0rest";
    assert_eq!(arguments(line, Some(b"qemu")), b"com1=115200 noreboot");
    assert_eq!(arguments(line, None), b"com1=115200 noreboot");
    assert_eq!(
        arguments(
            b" placeholder root=/dev/vda1 ",
            Some(b"GRUB 2.06-13+deb12u1")
        ),
        b"placeholder root=/dev/vda1"
    );
    assert_eq!(arguments(b"vmlinuz", Some(b"GRUB 0.97")), b"");
    assert_eq!(arguments(b"", Some(b"qemu")), b"");
}

#[test]
fn too_many_notices_are_counted() {
    let line = "x ".repeat(100);
    let parsed = parse(line.as_bytes());
    assert_eq!(
        parsed.notices.iter().count() + parsed.notices.dropped(),
        100
    );
    assert!(parsed.notices.dropped() > 0);
}

#[test]
fn words_that_are_no_text_are_passed_over() {
    let parsed = parse(b"\xff\xfe noreboot");
    assert!(parsed.options.no_reboot);
    assert_eq!(parsed.notices.iter().next(), Some(&Notice::NotText));
}

/// Lines made of pieces of options.
fn lines() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "com1",
        "com2",
        "console",
        "dom0_mem",
        "dom0_max_vcpus",
        "loglvl",
        "reboot",
        "hpet",
        "acpi",
        "dom0",
        "no-dom0",
        "mem",
        "conswitch",
        "vga",
        "no-",
        "sched",
        "bootscrub",
        "nmi",
        "tsc",
        "iommu",
        "",
    ]);
    let values = prop_oneof![
        "[=,/:+%-]{0,4}",
        "(=?(com1|vga|min:|max:|-|[0-9]{1,22}|0x[0-9a-f]{1,18}|[kmgtbKMGT%]|8n1|,|/|\u{e9})){0,6}",
    ];
    prop::collection::vec((names, values), 0..5).prop_map(|options| {
        let words: Vec<String> = options
            .into_iter()
            .map(|(name, value)| format!("{name}{value}"))
            .collect();
        words.join(" ")
    })
}

proptest! {
    #[test]
    fn any_line_is_read(bytes: Vec<u8>) {
        let parsed = parse(&bytes);
        for notice in parsed.notices.iter() {
            let _ = notice.to_string();
        }
        let _ = arguments(&bytes, Some(&bytes));
    }

    #[test]
    fn any_likely_line_is_read_and_its_numbers_hold(line in lines(), host: u64, free: u64) {
        let parsed = parse(line.as_bytes());
        let free = free.min(host);
        if let Ok(plan) = parsed.options.dom0_memory.plan(host, free) {
            prop_assert!(plan.initial > 0 && plan.initial <= free);
            prop_assert_eq!(plan.initial % 4096, 0);
        }
        prop_assert_ne!(parsed.options.max_cpus, Some(0));
        prop_assert!(parsed.options.dom0_vcpus.on(4) > 0);
        for port in [parsed.options.com1, parsed.options.com2].into_iter().flatten() {
            prop_assert_ne!(port.divisor(), Some(0));
        }
        for notice in parsed.notices.iter() {
            prop_assert!(!notice.to_string().contains('\n'));
        }
    }

    #[test]
    fn sizes_are_what_they_say(number in 0..1_u64 << 20, suffix in 0..5_usize) {
        let (letter, shift) = [("b", 0), ("k", 10), ("M", 20), ("", 10), ("g", 30)][suffix];
        let line = format!("availmem={number}{letter}");
        let expected = (number != 0).then_some(number << shift);
        prop_assert_eq!(clean(&line).available_limit, expected);
    }
}
