//! What must hold of `containers::cgroup::v1`.

use std::time::Duration;

use super::{
    BlockFiles, MemoryFiles, Occasion, OomState, add_operations, add_ticks, oom_state,
    throttling as parse_throttling, usage_ns,
};
use crate::containers::reading::{BlockDevice, Cpu, Operations};
use crate::host::Host;
use crate::metric::Monotonic;

#[test]
fn processor_time() {
    let check = |text: &str, expected| assert_eq!(usage_ns(text.as_bytes()), expected, "{text:?}");
    check("2075824993\n", Some(2_075_824_993));
    check("", None);
    check("18446744073709551616\n", None);
    check("x\n", None);
}

#[test]
fn ticks_are_ten_milliseconds() {
    let check = |text: &str, user_ns, system_ns| {
        let mut cpu = Cpu::default();
        add_ticks(text.as_bytes(), &mut cpu);
        assert_eq!(cpu, Cpu { user_ns, system_ns, ..Cpu::default() }, "{text:?}");
    };
    check("user 206\nsystem 1\n", Some(2_060_000_000), Some(10_000_000));
    check("system 0\nuser 18446744073709551615\n", Some(u64::MAX), Some(0));
    check("user 206\nsys", Some(2_060_000_000), None);
    check("user -1\nsystem 18446744073709551616\n", None, None);
    check("", None, None);
}

#[test]
fn throttling() {
    let check =
        |text: &str, [periods, throttled_periods, throttled_ns]: [Option<u64>; 3], bursts, burst_ns| {
            let cpu = parse_throttling(text.as_bytes());
            let expected =
                Cpu { periods, throttled_periods, throttled_ns, bursts, burst_ns, ..Cpu::default() };
            assert_eq!(cpu, expected, "{text:?}");
        };
    let text = "nr_periods 221\nnr_throttled 178\nthrottled_time 8098463859\nnr_bursts 5\nburst_time 6\n";
    check(text, [Some(221), Some(178), Some(8_098_463_859)], Some(5), Some(6));
    check("nr_periods 221\nnr_throttled x\nthrottled_time", [Some(221), None, None], None, None);
    check("nr_bursts -1\nburst_time 18446744073709551616\n", [None; 3], None, None);
    check("", [None; 3], None, None);
}

#[test]
fn kills_for_memory() {
    let check = |text: &str, is_waited, under_oom, kills| {
        let expected = OomState { is_waited, under_oom, kills };
        assert_eq!(oom_state(text.as_bytes()), expected, "{text:?}");
    };
    check("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", false, Some(false), Some(3));
    check("oom_kill_disable 1\nunder_oom 1\n", true, Some(true), None);
    check("under_oom x\noom_kill 18446744073709551616\n", false, None, None);
    check("", false, None, None);
}

#[test]
fn the_kernels_own_memory_is_named_as_v2_names_it() {
    let check = |kernel: &str, expected: Option<u64>| {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(folder.path());
        let files = [("usage_in_bytes", "9\n"), ("kmem.usage_in_bytes", kernel), ("stat", "cache 1\n")];
        for (name, text) in files {
            std::fs::write(folder.path().join(format!("memory.{name}")), text).unwrap();
        }
        let memory =
            MemoryFiles::below(Some(&"".into())).read(&Occasion::default(), &host, &mut Vec::new()).unwrap();
        assert_eq!(super::value_of(&memory.stat, "kernel"), expected, "{kernel:?}");
        assert_eq!(super::value_of(&memory.stat, "cache"), Some(1));
    };
    check("4096\n", Some(4096));
    check("18446744073709551616\n", None);
    check("", None);
}

/// Neither file is read each time.
#[test]
fn a_changed_limit_shows_in_another_file_and_a_kill_is_counted_for_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    let mut files = MemoryFiles::below(Some(&"".into()));
    let mut check = |machines_kills, written: (u64, u64), expected: (u64, u64)| {
        let (limit, kills) = written;
        let texts = [
            ("usage_in_bytes", "9\n".to_owned()),
            ("stat", format!("hierarchical_memory_limit {limit}\n")),
            ("limit_in_bytes", format!("{limit}\n")),
            ("oom_control", format!("oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n")),
        ];
        for (name, text) in texts {
            std::fs::write(folder.path().join(format!("memory.{name}")), text).unwrap();
        }
        let occasion = Occasion { oom_kills: machines_kills, ..Occasion::default() };
        let memory = files.read(&occasion, &host, &mut Vec::new()).unwrap();
        assert_eq!((memory.limit, memory.oom_kills), (Some(expected.0), Some(expected.1)), "{written:?}");
    };
    check(Some(5), (70, 0), (70, 0));
    check(Some(5), (60, 0), (60, 0));
    check(Some(6), (60, 1), (60, 1));
}

fn device(minor: u32, bytes: Operations) -> BlockDevice {
    BlockDevice { major: 254, minor, bytes, ..BlockDevice::default() }
}

#[test]
fn block_operations_by_device() {
    let check = |text: &str, expected: &[BlockDevice]| {
        let mut devices = Vec::new();
        add_operations(text.as_bytes(), &mut devices, |device| &mut device.bytes);
        assert_eq!(devices, expected, "{text:?}");
    };
    let writer = Operations {
        read: Some(0),
        write: Some(18_305_024),
        sync: Some(34_033_664),
        asynchronous: Some(0),
        discard: Some(15_728_640),
        total: Some(34_033_664),
    };
    check(
        "254:0 Read 0\n254:0 Write 18305024\n254:0 Sync 34033664\n254:0 Async 0\n254:0 Discard 15728640\n\
         254:0 Total 34033664\n254:16 Read 7\nTotal 34033664\n",
        &[device(0, writer), device(16, Operations { read: Some(7), ..Operations::default() })],
    );
    check("Total 0\n", &[]);
    check("", &[]);
    check("254:0 Read\n254:0\n254 Read 1\n:0 Read 1\n254:0 Read 18446744073709551616\n", &[]);
    check("254:0 Novel 1\n", &[device(0, Operations::default())]);
    check("254:0 Read 1\n254:0 Wri", &[device(0, Operations { read: Some(1), ..Operations::default() })]);
}

#[test]
fn the_first_group_of_block_files_that_has_devices_is_taken_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path());
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let mut files = BlockFiles::below(Some(&"".into()));
    let mut buffer = Vec::new();
    let mut seconds = 0;
    let mut read = || {
        seconds += 1;
        let at = Monotonic(Duration::from_secs(seconds));
        files.read(&Occasion { at, ..Occasion::default() }, &host, &mut buffer)
    };
    assert_eq!(read(), None);

    write("blkio.throttle.io_service_bytes", "Total 0\n");
    write("blkio.bfq.io_service_bytes_recursive", "Total 0\n");
    let found: Vec<_> = (0..20).map(|_| read()).collect();
    assert_eq!(found.last(), Some(&Some(Vec::new())));

    write("blkio.bfq.io_service_bytes_recursive", "8:0 Read 5\nTotal 5\n");
    write("blkio.bfq.io_serviced_recursive", "8:0 Read 1\nTotal 1\n");
    let found: Vec<_> = (0..20).filter_map(|_| read()).collect();
    let expected = BlockDevice {
        major: 8,
        minor: 0,
        bytes: Operations { read: Some(5), ..Operations::default() },
        requests: Operations { read: Some(1), ..Operations::default() },
        ..BlockDevice::default()
    };
    assert_eq!(found.last(), Some(&vec![expected]));

    write("blkio.throttle.io_service_bytes", "8:0 Read 6\nTotal 6\n");
    for _ in 0..20 {
        assert_eq!(read(), Some(vec![expected]), "counters never change their source");
    }
}
