//! What must hold of `containers::cgroup::v2`.

use super::{cpu, devices, events};
use crate::containers::reading::{BlockDevice, Cpu, IoCost, MemoryEvents, Operations};

#[test]
fn processor_time() {
    let check = |text: &str, expected| assert_eq!(cpu(text.as_bytes()), expected, "{text:?}");
    let all = Cpu {
        usage_ns: 3_510_028_000,
        user_ns: Some(600_227_000),
        system_ns: Some(2_909_800_000),
        periods: Some(7),
        throttled_periods: Some(3),
        throttled_ns: Some(9_000),
        bursts: Some(4),
        burst_ns: Some(5_000),
    };
    check(
        "usage_usec 3510028\nuser_usec 600227\nsystem_usec 2909800\nnr_periods 7\nnr_throttled 3\n\
         throttled_usec 9\nnr_bursts 4\nburst_usec 5\n",
        Some(all),
    );
    let without =
        Cpu { usage_ns: all.usage_ns, user_ns: all.user_ns, system_ns: all.system_ns, ..Cpu::default() };
    check("usage_usec 3510028\nuser_usec 600227\nsystem_usec 2909800\n", Some(without));
    check("usage_usec 3510028\nuser_us", Some(Cpu { user_ns: None, system_ns: None, ..without }));
    check("usage_usec 18446744073709551615\n", Some(Cpu { usage_ns: u64::MAX, ..Cpu::default() }));
    check("usage_usec 18446744073709551616\nuser_usec 1\n", None);
    check("user_usec 600227\n", None);
    check("", None);
}

#[test]
fn memory_events() {
    let check = |text: &str, expected| assert_eq!(events(text.as_bytes()), expected, "{text:?}");
    let all =
        MemoryEvents { low: Some(7), high: Some(8), max: Some(464), oom: Some(2), oom_group_kill: Some(0) };
    check("low 7\nhigh 8\nmax 464\noom 2\noom_kill 1\noom_group_kill 0\n", (all, Some(1)));
    let old = MemoryEvents { oom_group_kill: None, ..all };
    check("low 7\nhigh 8\nmax 464\noom 2\n", (old, None));
    let cut = MemoryEvents { low: Some(7), ..MemoryEvents::default() };
    check("low 7\nhigh 18446744073709551616\nmax\noom x\noom_kill -1\noom_gr", (cut, None));
    check("", (MemoryEvents::default(), None));
}

#[test]
fn block_devices() {
    let check = |text: &str, expected: &[BlockDevice]| {
        assert_eq!(devices(text.as_bytes()), expected, "{text:?}");
    };
    let device = |minor, bytes: [Option<u64>; 3], requests: [Option<u64>; 3]| {
        let [bytes, requests] = [bytes, requests].map(|[read, write, discard]| Operations {
            read,
            write,
            discard,
            ..Operations::default()
        });
        BlockDevice { major: 259, minor, bytes, requests, ..BlockDevice::default() }
    };
    check(
        "259:0 rbytes=8912896 wbytes=83886080 rios=17 wios=175 dbytes=5 dios=6\n\
         259:1 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n",
        &[
            device(0, [Some(8_912_896), Some(83_886_080), Some(5)], [Some(17), Some(175), Some(6)]),
            device(1, [Some(1), Some(2), Some(0)], [Some(3), Some(4), Some(0)]),
        ],
    );
    let cost = IoCost { usage_us: Some(1), wait_us: Some(2), indebt_us: Some(3), indelay_us: None };
    check(
        "259:0 rbytes=8 cost.vrate=100.00 cost.usage=1 cost.wait=2 cost.indebt=3 cost.indelay=\n",
        &[BlockDevice { cost, ..device(0, [Some(8), None, None], [None; 3]) }],
    );
    check("", &[]);
    check("7:7 \n7:0 \n", &[]);
    check("259:0 \n259:1\n(unknown) rbytes=1\n", &[]);
    check("259:0 rbytes=8 wby", &[device(0, [Some(8), None, None], [None; 3])]);
    check("259:0 rbytes=18446744073709551616 wbytes=x rios=-1\n", &[]);
    check("259:0 rbytes=1\n259:0 wbytes=2\n", &[device(0, [Some(1), Some(2), None], [None; 3])]);
}
