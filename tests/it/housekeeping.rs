//! Dynamic housekeeping: an idle container is read ever more seldom, and in full within one tick
//! when it wakes.

use std::time::Duration;

use crate::support::{
    Docker, Home, Influxd, SECOND, Series, counted_io, gaps, lacks, now_nanos, tick, wait_within,
};

#[test]
fn an_idle_container_backs_off_and_wakes_within_one_tick() {
    if lacks("docker") || lacks("influxd") {
        return;
    }
    let docker = Docker::shared();
    let influxd = Influxd::start();
    let limits = counted_io(&docker.data_root());
    let limits: Vec<_> = limits.iter().map(String::as_str).collect();
    // Without a network: the neighbours' broadcasts would be activity.
    let options = [&["--network", "none"], &limits[..]].concat();
    let container = docker.run("idle", &options, &["sleep", "1000"]);
    let home = Home::new(&format!(
        "[agent]\nhostname = \"idle\"\ninterval = \"1s\"\nmax_interval = \"16s\"\nstate_dir = \"state\"\n\
         [collectors]\ndisabled = [\"disk\"]\n{}{}",
        docker.settings(),
        influxd.sink("central")
    ));
    let _agent = home.run();
    let condition = format!("container_name = '{}' AND cpu = 'cpu-total'", container.name);
    let times = || {
        let found = influxd.series("docker_container_cpu", &condition);
        found.first().map(Series::times).unwrap_or_default()
    };

    let idle = wait_within(Duration::from_secs(120), "two rows 16 s apart", || {
        let times = times();
        (gaps(&times, SECOND).last() == Some(&16)).then_some(times)
    });
    let distances = gaps(&idle, SECOND);
    assert!(distances.is_sorted(), "it backs off step by step: {distances:?}");
    let allowed = |tick: i64, before: i64| tick - before <= 16 && (tick - before == 1 || tick % 2 == 0);
    let ticks: Vec<_> = idle.iter().map(|time| tick(*time, SECOND)).collect();
    assert!(ticks.windows(2).all(|pair| allowed(pair[1], pair[0])), "on multiples of the period: {ticks:?}");
    assert_eq!(ticks.last().unwrap() % 16, 0, "{ticks:?}");

    let before = now_nanos();
    container.exec(&["sh", "-c", "while :; do :; done"]);
    let awake = now_nanos();
    let fresh = wait_within(Duration::from_secs(60), "six rows after waking", || {
        let fresh: Vec<_> = times().into_iter().filter(|time| *time >= before).collect();
        (fresh.len() >= 6).then_some(fresh)
    });
    // It may begin so shortly before a tick that this one does not see it yet.
    assert!(tick(fresh[0], SECOND) <= tick(awake, SECOND) + 2, "woke at {awake}: {fresh:?}");
    assert!(gaps(&fresh, SECOND).iter().all(|gap| *gap == 1), "every tick from then on: {fresh:?}");
}
