//! What must hold of `host::process::parse`.

use std::collections::HashMap;

use super::{Io, Stat, Status, cgroup, command_line, full_name, io, open_files_limits, stat, status, users};

const STAT: Stat = Stat {
    state: b'S',
    parent: 4,
    minor_faults: 10,
    child_minor_faults: 11,
    major_faults: 12,
    child_major_faults: 13,
    user: 14,
    system: 15,
    threads: 20,
    start: 22,
    virtual_size: Some(23),
    resident_pages: Some(24),
    core: Some(39),
    block_io: Some(42),
};

/// Columns 4 to `last`, each its own number.
fn columns(last: u32) -> String {
    (4..=last).map(|column| column.to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_name_may_hold_anything() {
    let names: &[&[u8]] = &[
        b"sh",
        b"",
        b" ",
        b"(sd-pam)",
        b"a) R 1 (b",
        b") S 1 2 3",
        b"two\nlines",
        b"\xff\xfe",
        b"kworker/0:1H-kb",
    ];
    for name in names {
        let text = [b"7 (", *name, b") S ", columns(52).as_bytes(), b"\n"].concat();
        assert_eq!(stat(&text), Some((*name, STAT)), "{}", String::from_utf8_lossy(name));
    }
}

#[test]
fn a_cut_line_gives_what_it_has() {
    let check =
        |text: &str, expected| assert_eq!(stat(text.as_bytes()).map(|(_, stat)| stat), expected, "{text}");
    let cut = |last| format!("7 (sh) S {}", columns(last));
    check(&cut(41), Some(Stat { block_io: None, ..STAT }));
    check(&cut(38), Some(Stat { core: None, block_io: None, ..STAT }));
    let least = Stat { virtual_size: None, resident_pages: None, core: None, block_io: None, ..STAT };
    check(&cut(22), Some(least));
    check(&cut(21), None);
    check("7 (sh) S", None);
    check("7 (sh)", None);
    check("7 (sh", None);
    check(")7 (", None);
    check("7 sh S 1 2", None);
    check("", None);
}

#[test]
fn an_odd_number_is_none() {
    let odd = |column: usize, word: &str| {
        let mut words: Vec<_> = (3..=52).map(|column: u32| column.to_string()).collect();
        words[0] = "S".to_owned();
        words[column - 3] = word.to_owned();
        stat(format!("7 (sh) {}", words.join(" ")).as_bytes()).map(|(_, stat)| stat)
    };
    assert_eq!(odd(8, "-1"), Some(STAT), "no terminal");
    assert_eq!(odd(18, "-2"), Some(STAT), "real-time priority");
    assert_eq!(odd(24, "-5"), Some(Stat { resident_pages: None, ..STAT }), "pages are counted roughly");
    assert_eq!(odd(39, "4294967296"), Some(Stat { core: None, ..STAT }));
    assert_eq!(odd(14, "18446744073709551616"), None);
    assert_eq!(odd(22, "x"), None);
}

#[test]
fn a_status_file() {
    let text = b"Name:\tsh\\nUid:\t9 9\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t1\t2\t3\t4\nVmSize:\t    2260 kB\n\
        VmLck:\t       0 kB\nVmRSS:\t    1424 kB\nVmData:\t     148 kB\nVmStk:\t     132 kB\nVmSwap:\t       8 kB\n\
        voluntary_ctxt_switches:\t100\nnonvoluntary_ctxt_switches:\t2\n";
    let expected = Status {
        user: Some(2),
        resident: Some(1424 << 10),
        virtual_size: Some(2260 << 10),
        swap: Some(8 << 10),
        data: Some(148 << 10),
        stack: Some(132 << 10),
        locked: Some(0),
        voluntary_switches: Some(100),
        involuntary_switches: Some(2),
    };
    assert_eq!(status(text), expected);
    assert_eq!(
        status(b"Name:\t\xff\nUid:\t1\nVmRSS:\tmany kB\nVmSwap:\t36893488147419103232 kB\nVm"),
        Status::default()
    );
    assert_eq!(status(b""), Status::default());
}

#[test]
fn an_io_file() {
    let text =
        b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n";
    let expected = Io {
        read_bytes: Some(1),
        write_bytes: Some(2),
        reads: Some(3),
        writes: Some(4),
        disk_read_bytes: Some(5),
        disk_write_bytes: Some(6),
    };
    assert_eq!(io(text), expected);
    assert_eq!(io(b"rchar: -1\nwchar\nsyscr: x"), Io::default());
}

#[test]
fn limits_of_open_files() {
    let check = |text: &str, expected| assert_eq!(open_files_limits(text.as_bytes()), expected, "{text}");
    check(
        "Limit   Soft Limit   Hard Limit  Units\nMax open files    1024   524288   files\n",
        (Some(1024), Some(524_288)),
    );
    check("Max open files    1024   unlimited   files", (Some(1024), None));
    check("Max open files", (None, None));
    check("", (None, None));
}

#[test]
fn a_cgroup_is_a_path_in_the_tree_of_containers() {
    let check = |text: &str, expected| assert_eq!(cgroup(text.as_bytes()), expected, "{text}");
    check("0::/system.slice/a.service\n", Some("/system.slice/a.service"));
    check("9:name=systemd:/s\n4:memory:/m\n3:cpu,cpuacct:/c\n0::/u\n", Some("/c"));
    check("9:name=systemd:/s\n4:memory:/a:b c\n0::/u\n", Some("/a:b c"));
    check("9:name=systemd:/s\n8:net_cls,net_prio:/\n0::/u\n", Some("/u"));
    check("0::/../other.scope/inner\n", Some("/../other.scope/inner"));
    check("0::\n", None);
    check("3:cpu\n:\n\n", None);
    check("", None);
}

#[test]
fn arguments_are_parted_by_spaces() {
    let check = |text: &[u8], expected: Option<&str>| {
        assert_eq!(command_line(text).as_deref(), expected, "{}", String::from_utf8_lossy(text));
    };
    check(b"sh\0-c\0a b\0", Some("sh -c a b"));
    check(b"nginx: worker process\0\0\0\0", Some("nginx: worker process"));
    check(b"no end", Some("no end"));
    check(b"a\0\0b\0", Some("a  b"));
    check(b"\xff\0\n\x1b[31m\0", Some("\u{FFFD} \n\u{1b}[31m"));
    check(b"", None);
    check(b"\0\0", None);
}

#[test]
fn a_name_that_was_cut_is_completed() {
    let check = |name: &[u8], arguments: &[u8], expected: &str| {
        assert_eq!(full_name(name, arguments), expected, "{}", String::from_utf8_lossy(arguments));
    };
    check(b"containerd-shim", b"/usr/bin/containerd-shim-runc-v2\0-id\0", "containerd-shim-runc-v2");
    check(b"containerd-shim", b"/usr/bin/other\0", "containerd-shim");
    check(b"sh", b"/bin/shell\0", "sh");
    check(b"kworker/1:2H-kblockd", b"", "kworker/1:2H");
    check(b"kworker/u8:3+events_unbound", b"", "kworker/u8:3");
    check(b"kworker/R-mm_percpu_wq", b"", "kworker/R-mm_percpu_wq");
    check(b"kworker/0:0", b"", "kworker/0:0");
    check(b"rcu_tasks_kthread", b"", "rcu_tasks_kthread");
    check(b"aaaaaaaaaaaaaaa", &b"a".repeat(300), "aaaaaaaaaaaaaaa");
    check(b"\xff", b"", "\u{FFFD}");
}

#[test]
fn users_have_names() {
    let text = b"root:x:0:0:root:/root:/bin/sh\n\ntoor:x:0:0::/:\n:x:5:5::/:\nbad:x:no:1::/:\nshort\n\xff:x:7:7::/:\nweb:x:33:33";
    assert_eq!(users(text), HashMap::from([(0, "root".to_owned()), (33, "web".to_owned())]));
}
