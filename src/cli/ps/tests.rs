//! What must hold of `cli::ps`, and what every captured machine lists.

use super::{
    Facts, Listed, Sort, cgroup_of, choose, clock_time, day_and_time, every_label, short_ids, sort, table,
};
use crate::containers::{ContainerId, members};
use crate::host::{self, Host};
use crate::metric::Text;

#[test]
fn a_container_is_meant_by_name_id_or_how_its_id_begins() {
    let ids = ["aa".repeat(32), "ab".repeat(32), "cc".repeat(32)];
    let ids = ids.map(|id| ContainerId::parse(&id).unwrap());
    // The second is called as the third's id begins.
    let names = [Text::of("web"), Text::of("cc"), Text::of("\u{1b}[31mred")];
    let all = [
        (&ids[0], Some(&names[0]), "/docker/a"),
        (&ids[1], Some(&names[1]), "/docker/b"),
        (&ids[2], Some(&names[2]), "/docker/c"),
    ];
    let check = |wanted: &str, expected: Result<&str, &str>| match (choose(&all, wanted), expected) {
        (Ok(path), Ok(expected)) => assert_eq!(path, expected, "{wanted}"),
        (Err(error), Err(expected)) => assert!(error.contains(expected), "{wanted}: {error}"),
        (said, _) => panic!("{wanted}: {said:?}"),
    };
    check("web", Ok("/docker/a"));
    check("cc", Ok("/docker/b"));
    check("ccc", Ok("/docker/c"));
    check(ids[0].as_str(), Ok("/docker/a"));
    check("a", Err("\"a\" may be any of web (aaaaaaaaaaaa), cc (abababababab); expected more of an id"));
    check("we", Err("no running container is called \"we\"; expected one of web (aaaaaaaaaaaa), "));
    check("", Err("no running container"));
    assert!(!choose(&all, "none").unwrap_err().contains('\u{1b}'));
    assert_eq!(choose(&[], "web").unwrap_err(), "no container runs here");
    assert_eq!(choose(&[(&ids[0], None, "/x")], "aaa"), Ok("/x".to_owned()));
}

#[test]
fn times_are_written_as_ps_does() {
    assert_eq!(clock_time(0.99), "00:00:00");
    assert_eq!(clock_time(3_723.0), "01:02:03");
    assert_eq!(clock_time(4.0 * 86_400.0 + 3_723.0), "4-01:02:03");
    assert_eq!(day_and_time(1_700_000_000_999_999_999).as_deref(), Some("2023-11-14 22:13:20"));
    assert_eq!(day_and_time(-1), None);
}

#[test]
fn ids_in_a_path_are_short() {
    let id = "0123456789ab".to_owned() + &"c".repeat(52);
    let check = |path: &str, expected: &str| assert_eq!(short_ids(&path.replace("ID", &id)), expected);
    check("/docker/ID", "/docker/0123456789ab");
    check("/system.slice/docker-ID.scope/init", "/system.slice/docker-0123456789ab.scope/init");
    check("/a.slice:cri-containerd:ID", "/a.slice:cri-containerd:0123456789ab");
    check("/system.slice/ssh.service", "/system.slice/ssh.service");
    check("/", "/");
}

fn captured(machine: &str) -> Host {
    Host::new(format!("{}/tests/fixtures/host/{machine}/t0", env!("CARGO_MANIFEST_DIR")))
}

/// What `dunlin ps` says of a captured machine, or of a container on it.
fn said(host: &Host, container: Option<&str>) -> String {
    let group = container.map(|name| cgroup_of(every_label(), host, name).unwrap());
    let is_wanted = |cgroup: Option<&str>| match &group {
        Some(group) => cgroup.is_some_and(|cgroup| members::holds(group, cgroup)),
        None => true,
    };
    match Facts::of(host).list(host, is_wanted) {
        Ok(all) => table(&all),
        Err(error) => format!("{error}\n").replace(&host.path("/").display().to_string(), "/"),
    }
}

#[test]
fn every_machine_lists_what_is_expected() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let project = Host::new(env!("CARGO_MANIFEST_DIR"));
    for machine in host::captured::machines() {
        let path = format!("tests/fixtures/host/{machine}/expected/ps.txt");
        let said = said(&host::captured::at(&machine, "t0").host, None);
        if update {
            std::fs::write(project.path(&path), &said).unwrap();
        }
        assert_eq!(said, project.read(&path).unwrap_or_default(), "{path}");
    }
}

#[test]
fn a_containers_processes_are_those_in_its_cgroup() {
    for (machine, pids) in
        [("cgroup-v1-docker", ["22801", "22828", "22829"]), ("cgroup-v2-docker", ["527", "561", "563"])]
    {
        let said = said(&captured(machine), Some("shop_web_1"));
        let found: Vec<_> =
            said.lines().skip(1).map(|line| line.split_whitespace().nth(1).unwrap()).collect();
        assert_eq!(found, pids, "{said}");
    }
}

#[test]
fn a_hostile_command_line_is_only_shown() {
    let hostile = Listed {
        user: Some("ro\u{1b}[1mot".to_owned()),
        state: 'S',
        cgroup: Some("/a\n/b".to_owned()),
        command_line: Some("sh -c \u{1b}]0;title\u{7} \r\n\u{9b}31m\u{7f}".to_owned()),
        ..Listed::default()
    };
    let kernel = Listed { state: 'I', command: "kworker\n1".to_owned(), ..Listed::default() };
    let text = table(&[hostile, kernel]);
    assert_eq!(text.lines().count(), 3, "{text:?}");
    assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
    assert!(text.contains("sh -c \u{FFFD}]0;title\u{FFFD} \u{FFFD}\u{FFFD}\u{FFFD}31m\u{FFFD}"), "{text:?}");
    assert!(text.contains("[kworker\u{FFFD}1]"), "{text:?}");
}

#[test]
fn those_that_use_most_come_first() {
    let one = |pid, cpu_percent, rss| Listed { pid, cpu_percent, rss, state: 'S', ..Listed::default() };
    let all = || {
        vec![
            one(1, Some(0.5), Some(7)),
            one(2, None, None),
            one(3, Some(2.0), Some(9)),
            one(4, Some(2.0), None),
        ]
    };
    let check = |by, expected: [u32; 4]| {
        let mut all = all();
        sort(&mut all, by);
        assert_eq!(all.iter().map(|one| one.pid).collect::<Vec<_>>(), expected, "{by:?}");
    };
    check(Sort::Pid, [1, 2, 3, 4]);
    check(Sort::Cpu, [3, 4, 1, 2]);
    check(Sort::Mem, [3, 1, 2, 4]);
}
