//! An agent among containers for some seconds: it is started, left to settle, and measured between two moments
//! when it has nothing to do. Everything that is not named here is as it is by default, but for the interval, which is a second.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::SINK;
use crate::crowd::Crowd;
use crate::floor;
use crate::gauge::{self, Memory, Rates};
use crate::report::note;
use crate::supervisor;
use crate::support::{Agent, Home, Influxd, SECOND, Server, let_pass, now_nanos, wait_within};
use crate::yard::{Place, Yard};

/// Where in a second it is looked at: agent and floor are done with their ticks.
const BETWEEN: i64 = 900_000_000;
/// How long rows may take to arrive: on a machine with much else to do, `influxd` falls behind.
const ARRIVAL: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_secs(1);

/// What all scenes have in common.
pub(crate) struct Stage {
    pub(crate) yard: Yard,
    pub(crate) influxd: Influxd,
    pub(crate) folder: TempDir,
}

/// One scene.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'s> {
    /// Whether the agent looks at containers.
    pub(crate) containers: bool,
    /// A limit of open files.
    pub(crate) files: Option<u32>,
    /// Every container is read at every tick, whatever it does.
    pub(crate) steady: bool,
    /// The longest that an idle container is left alone, in seconds; it is measured between two readings of such.
    pub(crate) longest: Option<u32>,
    /// How long it is left to settle, in seconds.
    pub(crate) settle: u64,
    /// How long it is measured, in seconds.
    pub(crate) span: u32,
    /// The floor that is measured too.
    pub(crate) floor: Option<floor::Work>,
    /// A spool to begin with, and a server that is away.
    pub(crate) spool: Option<&'s Path>,
}

/// What was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) rates: Rates,
    pub(crate) memory: Memory,
    pub(crate) descriptors: usize,
    /// What of the kernel's memory stays when it takes back what it can.
    pub(crate) pinned: Option<u64>,
    /// Readings of containers that arrived, by tick.
    pub(crate) samples: Vec<u64>,
    pub(crate) floor: Option<floor::Cost>,
}

impl Scene<'_> {
    /// Containers are looked at, nothing else is unusual.
    pub(crate) const USUAL: Self = Self {
        containers: true,
        files: None,
        steady: false,
        longest: None,
        settle: 8,
        span: 20,
        floor: None,
        spool: None,
    };
    /// The host alone.
    pub(crate) const ALONE: Self = Self { containers: false, ..Self::USUAL };

    /// The tick before counts where containers are left alone: the rows of that one are all there are.
    fn earlier(&self) -> i64 {
        if self.longest.is_some() { SECOND } else { 0 }
    }
}

impl Found {
    /// Readings of containers in a second.
    pub(crate) fn samples_per_second(&self) -> f64 {
        let sum: u64 = self.samples.iter().sum();
        gauge::f64_of(sum) / gauge::f64_of(self.samples.len() as u64)
    }
}

impl Stage {
    /// Makes all that the scenes need.
    pub(crate) fn make() -> Self {
        let folder = tempfile::Builder::new().prefix("stage").tempdir().unwrap();
        let yard = Yard::make(&supervisor::name(), folder.path());
        let influxd = Influxd::start();
        influxd.query("CREATE DATABASE floor");
        Self { yard, influxd, folder }
    }

    /// An agent's folder, for these containers.
    pub(crate) fn home(&self, crowd: &Crowd, scene: Scene<'_>) -> Home {
        let containers = if scene.containers { "" } else { "[containers]\nenabled = false\n" };
        let steady = if scene.steady { "dynamic_housekeeping = false\n" } else { "" };
        let longest =
            scene.longest.map_or(String::new(), |seconds| format!("max_interval = \"{seconds}s\"\n"));
        // Of a spool that is full nothing may leave, and nothing goes to nobody.
        let (port, spool) = match scene.spool {
            None => (self.influxd.port, String::new()),
            Some(path) => (9, format!("[spool]\npath = \"{}\"\nmax_size = \"64GiB\"\n", path.display())),
        };
        Home::new(&format!(
            "[agent]\ninterval = \"1s\"\nstate_dir = \"state\"\n{longest}{steady}{containers}{}{spool}\
             [[sinks.influxdb]]\nname = \"{SINK}\"\nurls = [\"http://127.0.0.1:{port}\"]\napi = \"v1\"\ndatabase = \"it\"\n",
            crowd.settings()
        ))
    }

    /// Plays a scene.
    pub(crate) fn play(&mut self, crowd: &Crowd, scene: Scene<'_>) -> Found {
        let home = self.home(crowd, scene);
        let place = self.yard.place(scene.files);
        let agent = start(&home, &place);
        let_pass(Duration::from_secs(scene.settle));
        let process = agent.server.id();
        wait_until(BETWEEN);
        if let Some(longest) = scene.longest {
            // Such a reading has just been.
            let behind = now_nanos().div_euclid(SECOND).rem_euclid(i64::from(longest)).unsigned_abs();
            let_pass(Duration::from_secs((u64::from(longest) - behind) % u64::from(longest)));
        }
        let before = gauge::threads(process, &self.yard, &place);
        let begin = now_nanos();
        let floor = scene.floor.map(|work| self.floor(work, process, scene.span - 1));
        let_pass(Duration::from_secs(u64::from(scene.span - 1)));
        wait_until(BETWEEN);
        let after = gauge::threads(process, &self.yard, &place);
        let memory = gauge::memory(process, &self.yard, &place);
        let descriptors = gauge::descriptors(process);
        let end = begin + i64::from(scene.span) * SECOND;
        let samples = if scene.containers && scene.spool.is_none() {
            self.samples(begin - scene.earlier(), end)
        } else {
            Vec::new()
        };
        let floor = floor.map(|mut server| {
            assert!(server.wait(ARRIVAL).success(), "{}", server.last_words());
            floor::parse(&server.out())
        });
        // Last: what the agent needs of it comes back from the disk.
        self.yard.take_back(&place);
        let pinned = gauge::kernel_memory(&self.yard, &place);
        assert_well(&home, agent, scene);
        Found { rates: after.since(&before, scene.span), memory, pinned, descriptors, samples, floor }
    }

    /// The floor's program, with the files that the agent has open.
    fn floor(&mut self, work: floor::Work, process: u32, ticks: u32) -> Server {
        let folder = tempfile::Builder::new().prefix("floor").tempdir_in(self.folder.path()).unwrap().keep();
        let list = folder.join("files");
        let paths = floor::files_of(process);
        let lines: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
        fs::write(&list, lines.join("\n")).unwrap();
        let place = self.yard.place(None);
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-ec", &format!("{} \"$@\"", place.script)])
            .arg(std::env::current_exe().unwrap());
        command.args(["--floor", work.word(), &self.influxd.port.to_string(), &ticks.to_string()]).arg(&list);
        Server::start("floor", command.current_dir(&folder), &folder)
    }

    /// Readings of containers that arrived in a span, by the second; waits for those of the last one.
    pub(crate) fn samples(&self, begin: i64, end: i64) -> Vec<u64> {
        let (first, last) = (begin.div_euclid(SECOND) + 1, end.div_euclid(SECOND) + 1);
        let query = format!(
            "SELECT count(\"usage_total\") FROM docker_container_cpu WHERE \"cpu\" = 'cpu-total' AND \
             time >= {first}s AND time < {last}s GROUP BY time(1s) fill(0)"
        );
        let counts = || {
            let found = self.influxd.query(&query);
            let counts: Vec<u64> = found
                .iter()
                .flat_map(|series| series.numbers("count"))
                .map(|(_, count)| whole(count))
                .collect();
            counts
        };
        // Frames go out in their order: what came before has arrived when a later one has.
        let later = format!("SELECT count(ticks) FROM dunlin_agent WHERE time >= {last}s");
        let mut waits = 0..ARRIVAL.as_secs();
        while self.influxd.query(&later).is_empty() {
            if waits.next().is_none() {
                note("influxd is far behind", "what has not arrived is missing");
                break;
            }
            let_pass(PAUSE);
        }
        // The rows of a tick may come in several requests.
        let mut before = Vec::new();
        wait_within(ARRIVAL, "the rows of the last tick", || {
            let_pass(Duration::from_millis(1500));
            let now = counts();
            let there = !now.is_empty() && now == before;
            before.clone_from(&now);
            there.then_some(now)
        })
    }
}

/// Nothing was refused or lost, and no tick was late.
fn assert_well(home: &Home, mut agent: Agent, scene: Scene<'_>) {
    let account = home.account(SINK);
    account.assert_balanced();
    for column in ["filtered", "rejected", "expired", "thinned", "dropped"] {
        assert_eq!(account.get(column), 0, "{column}: {account:?}");
    }
    if scene.spool.is_some() {
        agent.server.kill();
        return;
    }
    assert!(account.get("delivered") > 0, "{account:?}");
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
}

/// Waits for the next moment that lies so many nanoseconds behind a full second.
pub(crate) fn wait_until(within: i64) {
    let wait = (within - now_nanos()).rem_euclid(SECOND);
    let_pass(Duration::from_nanos(wait.unsigned_abs()));
}

/// Starts an agent at its place.
pub(crate) fn start(home: &Home, place: &Place) -> Agent {
    // Its configuration is the one word that is handed on.
    home.run_after(&format!("{} run --config \"$1\"", place.script))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, at least 0")]
fn whole(number: f64) -> u64 {
    number as u64
}
