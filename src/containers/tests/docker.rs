//! With a real engine: a container's way from its start to its end, as this part tells it.
//!
//! It needs an engine (at the usual socket, or where `DOCKER_HOST` says), the `docker` client and a static `/bin/busybox`. Where no
//! engine answers it says so and tests nothing; on a build machine (`CI=true`) that is a failure.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wildmatch::WildMatch;

use crate::clock::{Clock, SystemClock};
use crate::containers::runtime::docker;
use crate::containers::{Change, Config, ContainerId, Containers, Update};
use crate::host::Host;
use crate::metric::{Rows, Sample, Tags, Value};

/// What a hostile user may write; it must arrive as it is.
const LABEL: &str = "tier=a \"b\",\nc=d\\ 🐦";

const IMAGE: &str = "dunlin-disc-busybox:1";

/// So long each step may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "a test starts what it tests against")]
fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn docker(arguments: &[&str]) -> String {
    run("docker", arguments).unwrap_or_else(|error| panic!("docker {arguments:?}: {error}"))
}

/// Runs the client without keeping the test from looking meanwhile.
fn in_background(arguments: &[&str]) -> tokio::task::JoinHandle<Result<String, String>> {
    let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    tokio::task::spawn_blocking(move || {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let ended = run("docker", &arguments);
        if let Err(error) = &ended {
            eprintln!("docker {arguments:?}: {error}");
        }
        ended
    })
}

/// Whether there is an engine, and the image in it.
fn is_ready() -> bool {
    if let Err(error) = run("docker", &["info"]) {
        let must = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!must, "no Docker engine answers: {error}");
        eprintln!("SKIPPED: no Docker engine answers, containers are not tested: {error}");
        return false;
    }
    if run("docker", &["image", "inspect", IMAGE]).is_err() {
        let import = format!("tar -C / -ch bin/busybox | docker import - {IMAGE}");
        run("sh", &["-c", &import]).unwrap();
    }
    true
}

/// A container that is removed whatever happens.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        let _ = run("docker", &["rm", "-f", &self.0]);
    }
}

/// A network of the test's own: another engine on this machine may take the usual bridge away.
struct Network(String);

impl Network {
    fn new(name: &str) -> Self {
        docker(&["network", "create", name]);
        Self(name.to_owned())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = run("docker", &["network", "rm", &self.0]);
    }
}

/// The containers of this machine, with the engine's task beside them.
struct Watched {
    containers: Containers,
    updates: UnboundedReceiver<Update>,
    wants: UnboundedSender<ContainerId>,
    watch: AsyncFd<OwnedFd>,
    started: BTreeSet<ContainerId>,
}

impl Watched {
    fn new(config: Config) -> (Self, tokio::task::JoinHandle<()>) {
        let host = Host::new("/");
        let (tell, updates) = unbounded_channel();
        let (wants, wanted) = unbounded_channel();
        let following = docker::follow(config.clone(), host.clone(), wanted, move |update| {
            let _ = tell.send(update);
        });
        let task = tokio::spawn(following);
        let containers = Containers::new(config, host);
        #[expect(
            deprecated,
            reason = "an OwnedFd keeps its descriptor open, which is all the unsafe one asks"
        )]
        let watch = AsyncFd::new(containers.watch().expect("inotify")).unwrap();
        (Self { containers, updates, wants, watch, started: BTreeSet::new() }, task)
    }

    /// Goes on until `wanted` finds in the rows or changes what it looks for.
    async fn until<T>(&mut self, what: &str, wanted: impl Fn(&[Sample], &[Change]) -> Option<T>) -> T {
        let search = async {
            loop {
                tokio::select! {
                    update = self.updates.recv() => self.containers.update(update.expect("the task lives")),
                    ready = self.watch.readable() => ready.unwrap().clear_ready(),
                    () = tokio::time::sleep(Duration::from_millis(100)) => {}
                }
                let at = SystemClock.monotonic();
                let changes = self.containers.discover(false, at);
                self.containers.begin_pass(at);
                let mut rows = Rows::new(SystemClock.now(), Tags::default());
                for id in self.containers.ids().cloned().collect::<Vec<_>>() {
                    if self.containers.has_started(&id) && self.started.insert(id.clone()) {
                        self.containers.forget_first(&id);
                    }
                    self.containers.collect(&id, rows.time(), at, &mut rows);
                }
                self.containers.release(&mut rows);
                if let Some(found) = wanted(&rows.into_samples(), &changes) {
                    return found;
                }
            }
        };
        let found = tokio::time::timeout(DEADLINE, search).await;
        found.unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"))
    }

    /// The next row of a measurement of the container that has this name, whatever its state.
    async fn row(&mut self, measurement: &str, name: &str, state: &str) -> Sample {
        let what = format!("{measurement} of {name}, {state}");
        let wanted = |rows: &[Sample], _: &[Change]| {
            let is_it = |sample: &&Sample| {
                sample.measurement == *measurement
                    && sample.tags.get("container_name") == Some(name)
                    && sample.tags.get("container_status") == Some(state)
            };
            rows.iter().find(is_it).cloned()
        };
        self.until(&what, wanted).await
    }
}

fn config() -> Config {
    let mut config = Config { labels: vec![WildMatch::new("tier")], ..Config::default() };
    // The client may have been told of another engine.
    if let Some(socket) =
        std::env::var("DOCKER_HOST").ok().as_deref().and_then(|host| host.strip_prefix("unix://"))
    {
        socket.clone_into(&mut config.docker.socket);
    }
    config.docker.data_root = docker(&["info", "--format", "{{.DockerRootDir}}"]);
    config
}

#[test]
fn from_start_to_end() {
    if !is_ready() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (first, second) = (format!("dunlin-disc-{}", std::process::id()), "dunlin-disc-renamed");
        let (mut watched, task) = Watched::new(config());
        watched.until("a first look", |_, _| Some(())).await;
        let network = Network::new(&first);
        let named = ["create", "--name", &first, "--network", &network.0];
        let labelled = ["--label", LABEL, "--label", "secret=x", "--memory", "64m"];
        let runs = [IMAGE, "/bin/busybox", "sleep", "1000"];
        let container = Container(docker(&[&named[..], &labelled, &runs].concat()));
        let id = ContainerId::parse(&container.0).unwrap();
        // It is looked at while it is being started.
        let starting = in_background(&["start", id.as_str()]);

        // Its first rows have everything, although its cgroup was found before it began.
        let first_rows = watched
            .until("its first rows", |rows, _| {
                // On a machine that takes ten seconds to start it, it has rows before it runs.
                let is_its = |row: &&Sample| {
                    row.tags.get("container_name") == Some(first.as_str())
                        && row.tags.get("container_status") == Some("running")
                };
                Some(rows.iter().filter(is_its).cloned().collect::<Vec<_>>()).filter(|rows| !rows.is_empty())
            })
            .await;
        starting.await.unwrap().unwrap();
        for measurement in ["cpu", "mem", "net", "blkio", "status"] {
            let name = format!("docker_container_{measurement}");
            assert!(first_rows.iter().any(|row| row.measurement == *name), "{name}: {first_rows:?}");
        }
        let row = first_rows.iter().find(|row| row.measurement == *"docker_container_mem").unwrap();
        assert_eq!(row.tags.get("container_name"), Some(first.as_str()));
        assert_eq!(row.tags.get("tier"), LABEL.strip_prefix("tier="));
        assert_eq!(row.tags.get("secret"), None);
        assert_eq!(row.tags.get("container_image"), Some("dunlin-disc-busybox"));
        assert_eq!(row.tags.get("container_version"), Some("1"));
        assert!(row.tags.get("server_version").is_some());
        assert_eq!(row.fields.get("limit"), Some(&Value::U64(64 << 20)));
        assert_eq!(row.fields.get("container_id"), Some(&Value::from(id.text())));

        docker(&["rename", id.as_str(), second]);
        watched.row("docker_container_cpu", second, "running").await;
        docker(&["pause", id.as_str()]);
        watched.row("docker_container_cpu", second, "paused").await;
        docker(&["unpause", id.as_str()]);

        // Another agent, for which the engine is away: the engine's files tell the name.
        let mut away = config();
        away.docker.socket = "/run/dunlin-disc-nobody.sock".to_owned();
        let (mut blind, blind_task) = Watched::new(away);
        let row = blind.row("docker_container_mem", second, "running").await;
        assert_eq!(row.tags.get("tier"), LABEL.strip_prefix("tier="));
        assert_eq!(row.tags.get("server_version"), None);

        docker(&["kill", id.as_str()]);
        let row = watched.row("docker_container_status", second, "exited").await;
        assert_eq!(row.fields.get("exitcode"), Some(&Value::I64(137)));
        let gone =
            |_: &[Sample], changes: &[Change]| changes.contains(&Change::Gone(id.clone())).then_some(());
        blind.until("the end", gone).await;
        assert!(!watched.containers.ids().any(|own| *own == id));
        // Who listens no more ends the task.
        drop((watched.wants, blind.wants));
        let both = async { (task.await.unwrap(), blind_task.await.unwrap()) };
        tokio::time::timeout(DEADLINE, both).await.unwrap();
    });
}

#[test]
fn one_that_is_removed_at_once_keeps_its_name() {
    if !is_ready() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let name = format!("dunlin-disc-short-{}", std::process::id());
        let (mut watched, task) = Watched::new(config());
        watched.until("a first look", |_, _| Some(())).await;
        let ended = in_background(&[
            "run",
            "--rm",
            "--network",
            "none",
            "--name",
            &name,
            IMAGE,
            "/bin/busybox",
            "sh",
            "-c",
            "exit 3",
        ]);
        let row = watched.row("docker_container_status", &name, "exited").await;
        assert_eq!(row.fields.get("exitcode"), Some(&Value::I64(3)));
        assert!(ended.await.unwrap().is_err());
        drop(watched.wants);
        tokio::time::timeout(DEADLINE, task).await.unwrap().unwrap();
    });
}

#[test]
fn everything_is_listed() {
    if !is_ready() {
        return;
    }
    let name = format!("dunlin-disc-list-{}", std::process::id());
    let id =
        docker(&["create", "--name", &name, "--cpus", "0.5", "--pids-limit", "9", IMAGE, "/bin/busybox"]);
    let container = Container(id);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (engine, all) = runtime.block_on(docker::list(&config(), &Host::new("/"))).unwrap();
    assert_eq!(engine.version, docker(&["version", "--format", "{{.Server.Version}}"]).as_str());
    let (_, found) = all.iter().find(|(id, _)| id.as_str() == container.0).unwrap();
    assert_eq!((found.name.as_str(), found.state.name()), (name.as_str(), "created"));
    assert_eq!((found.limits.nano_cpus, found.limits.pids), (Some(500_000_000), Some(9)));
}
