//! A bad network link between two network namespaces.
//!
//! Each namespace has a TUN device; `socat` hands its packets to us as datagrams, and we lose, delay,
//! double, throttle or hold them before they go to the other side. That is what the kernel's `netem`
//! does; it is done here because many kernels are built without it. TCP at both ends is the kernel's.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Server, command_in, wait_for};

/// What the link does to packets, in each direction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// The share that is lost.
    pub(crate) loss: f64,
    /// How long every one takes.
    pub(crate) delay: Duration,
    /// Up to so much longer, drawn for each, so that they overtake each other.
    pub(crate) jitter: Duration,
    /// The share that arrives twice.
    pub(crate) doubled: f64,
    /// Bits per second; none: any number.
    pub(crate) rate: Option<f64>,
}

/// Packets that wait longer for their turn on a slow link find the queue full and are lost.
const LONGEST_QUEUE: Duration = Duration::from_secs(2);
/// How often a side that has nothing to do looks around.
const PAUSE: Duration = Duration::from_millis(20);

/// The link. Namespaces and devices go with it.
pub(crate) struct Link {
    /// The agent's end.
    pub(crate) here: Side,
    /// The server's.
    pub(crate) there: Side,
    weather: Arc<Mutex<Weather>>,
    gone: Arc<AtomicBool>,
    carriers: Vec<JoinHandle<()>>,
    folder: TempDir,
}

/// One end.
pub(crate) struct Side {
    /// The network namespace.
    pub(crate) namespace: String,
    /// Its address on the link.
    pub(crate) address: &'static str,
    /// Holds the device; none while it is unplugged.
    device: Option<Server>,
}

impl Link {
    /// A link in good weather. Its namespaces have names that no other process uses.
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let side = |name: &str, address| {
            let namespace = format!("dunlin-{}-{number}-{name}", std::process::id());
            Side { namespace, address, device: None }
        };
        let mut link = Self {
            here: side("here", "10.77.0.1"),
            there: side("there", "10.77.0.2"),
            weather: Arc::default(),
            gone: Arc::default(),
            carriers: Vec::new(),
            folder: tempfile::Builder::new().prefix("link").tempdir().unwrap(),
        };
        let open = |side: &Side| Arc::new(UnixDatagram::bind(side.socket(link.folder.path())).unwrap());
        let (here, there) = (open(&link.here), open(&link.there));
        for (from, to, side) in [(&here, &there, &link.there), (&there, &here, &link.here)] {
            let direction = Direction {
                from: from.clone(),
                to: to.clone(),
                path: side.device_socket(link.folder.path()),
                weather: link.weather.clone(),
                gone: link.gone.clone(),
            };
            link.carriers.push(std::thread::spawn(move || direction.carry()));
        }
        for side in [&mut link.here, &mut link.there] {
            ip(&["netns", "add", &side.namespace]);
            ip(&["-n", &side.namespace, "link", "set", "lo", "up"]);
            side.plug_in(link.folder.path());
        }
        link
    }

    /// Changes the weather.
    pub(crate) fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// Takes the agent's device away, with its address and routes, as one pulls a modem out; or sees
    /// that it is there.
    pub(crate) fn plug(&mut self, is_in: bool) {
        if !is_in {
            self.here.device = None;
        } else if self.here.device.is_none() {
            self.here.plug_in(self.folder.path());
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        for carrier in self.carriers.drain(..) {
            carrier.join().ok();
        }
        for side in [&mut self.here, &mut self.there] {
            side.device = None;
            Command::new("ip").args(["netns", "delete", &side.namespace]).stderr(Stdio::null()).status().ok();
        }
    }
}

impl Side {
    fn plug_in(&mut self, folder: &Path) {
        let device = format!("TUN:{}/24,tun-name=link0,iff-no-pi,iff-up", self.address);
        let (ours, its) = (self.socket(folder), self.device_socket(folder));
        let socket = format!("UNIX-SENDTO:{},bind={},unlink-early", ours.display(), its.display());
        let mut command = command_in(Some(&self.namespace), "socat");
        command.args(["-b", "65536"]).args([device, socket]);
        let server = Server::start(&format!("socat-{}", self.address), &mut command, folder);
        self.device = Some(server);
        wait_for("a device", || {
            let command = ["-n", &self.namespace, "-o", "address", "show", "link0", "up"];
            let output = Command::new("ip").args(command).output().unwrap();
            String::from_utf8_lossy(&output.stdout).contains(self.address).then_some(())
        });
    }

    /// Where we take its packets.
    fn socket(&self, folder: &Path) -> PathBuf {
        folder.join(self.address)
    }

    /// Where the device takes packets from us.
    fn device_socket(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}-device", self.address))
    }
}

#[track_caller]
fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Packets from one side to the other.
struct Direction {
    from: Arc<UnixDatagram>,
    to: Arc<UnixDatagram>,
    path: PathBuf,
    weather: Arc<Mutex<Weather>>,
    gone: Arc<AtomicBool>,
}

impl Direction {
    fn carry(&self) {
        let mut under_way = BinaryHeap::new();
        let mut buffer = vec![0; 65_536];
        let mut free_from = Instant::now();
        let mut number = 0_u64;
        while !self.gone.load(Ordering::Relaxed) {
            let next = under_way.peek().map(|Reverse((due, _, _)): &Reverse<(Instant, u64, Vec<u8>)>| *due);
            let wait = next.map_or(PAUSE, |due| due.saturating_duration_since(Instant::now()));
            let wait = wait.clamp(Duration::from_micros(100), PAUSE);
            self.from.set_read_timeout(Some(wait)).unwrap();
            if let Ok(length) = self.from.recv(&mut buffer) {
                let weather = *self.weather.lock().unwrap();
                for due in weather.arrivals(length, &mut free_from, Instant::now()) {
                    number += 1;
                    under_way.push(Reverse((due, number, buffer[..length].to_vec())));
                }
            }
            while under_way.peek().is_some_and(|Reverse((due, _, _))| *due <= Instant::now()) {
                let Some(Reverse((_, _, packet))) = under_way.pop() else { break };
                // A device that is unplugged takes nothing.
                self.to.send_to(&packet, &self.path).ok();
            }
        }
    }
}

impl Weather {
    /// When a packet of so many bytes arrives: never, once or twice. `free_from` is when the line has
    /// sent what it was given before.
    fn arrivals(&self, bytes: usize, free_from: &mut Instant, now: Instant) -> Vec<Instant> {
        let copies = 1 + usize::from(fastrand::f64() < self.doubled);
        let start = now.max(*free_from);
        if fastrand::f64() < self.loss || start > now + LONGEST_QUEUE {
            return Vec::new();
        }
        let bits = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) * 8.0;
        *free_from = start + self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bits / rate));
        let sent = *free_from + self.delay;
        (0..copies).map(|_| sent + self.jitter.mul_f64(fastrand::f64())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Link, Weather, command_in};
    use crate::support::lacks;

    fn arrivals(weather: Weather, packets: usize) -> Vec<Duration> {
        let now = Instant::now();
        let mut free_from = now;
        let times = (0..packets).flat_map(|_| weather.arrivals(1000, &mut free_from, now));
        times.map(|time| time - now).collect()
    }

    #[test]
    fn the_weather_does_to_packets_what_it_says() {
        assert_eq!(arrivals(Weather::default(), 100), vec![Duration::ZERO; 100]);
        let lossy = arrivals(Weather { loss: 0.3, ..Weather::default() }, 10_000).len();
        assert!((6_500..7_500).contains(&lossy), "{lossy}");
        let doubled = arrivals(Weather { doubled: 0.1, ..Weather::default() }, 10_000).len();
        assert!((10_700..11_300).contains(&doubled), "{doubled}");
        let (delay, jitter) = (Duration::from_millis(500), Duration::from_millis(200));
        let late = arrivals(Weather { delay, jitter, ..Weather::default() }, 1_000);
        assert!(late.iter().all(|time| (delay..=delay + jitter).contains(time)), "{late:?}");
        // 125 ms each, and a queue of two seconds.
        let slow = arrivals(Weather { rate: Some(64_000.0), ..Weather::default() }, 100);
        assert_eq!(
            (slow[0], slow[1], slow.len()),
            (Duration::from_millis(125), Duration::from_millis(250), 17)
        );
    }

    #[test]
    fn packets_cross_the_link_unless_the_weather_forbids_it() {
        if lacks("netns") {
            return;
        }
        let mut link = Link::new();
        let ping = |link: &Link| {
            let mut command = command_in(Some(&link.here.namespace), "socat");
            let address = format!("TCP:{}:7,connect-timeout=2", link.there.address);
            command.args(["-u", "/dev/null", &address]);
            String::from_utf8(command.output().unwrap().stderr).unwrap()
        };
        // Nobody listens there, so an answer is a refusal.
        assert!(ping(&link).contains("refused"), "{}", ping(&link));
        link.set(Weather { loss: 1.0, ..Weather::default() });
        assert!(!ping(&link).contains("refused"));
        link.set(Weather::default());
        link.plug(false);
        assert!(ping(&link).contains("unreachable"), "{}", ping(&link));
        link.plug(true);
        assert!(ping(&link).contains("refused"), "{}", ping(&link));
    }
}
