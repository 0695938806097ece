//! Temperatures, by the sensors of the kernel's hardware monitors.
//!
//! From `/sys/class/hwmon/hwmon*/temp*_input` (in `device/` there on old kernels), or from the thermal zones
//! where no monitor tells a temperature. Sensors are called as Telegraf calls them (its format v2). It gives
//! two disks of one kind the same name, so the device is a tag here, and a second sensor without a label
//! gets its number.
//!
//! Which sensors there are is looked up once a minute. One of a device that sleeps or fails gives an error: it
//! is left out, and the others are read.

use std::collections::HashSet;
use std::time::Duration;

use super::{CollectError, Collector, Outcome};
use crate::host::Host;
use crate::metric::{Fields, Monotonic, Rows, Text};
use crate::settings::Section;

/// What it reads.
pub(super) const SUMMARY: &str = "Temperatures of processors, disks and boards.";

const MONITORS: &str = "/sys/class/hwmon";
const ZONES: &str = "/sys/class/thermal";

/// So often one looks which sensors there are: their names are most of the files.
const LOOK: Duration = Duration::from_secs(60);

/// Reads temperatures.
pub(super) struct Temp {
    sensors: Vec<Sensor>,
    looked: Option<Monotonic>,
    buffer: Vec<u8>,
}

impl Temp {
    /// It has no settings.
    pub(super) fn new(_: &Section<'_>) -> Self {
        Self { sensors: Vec::new(), looked: None, buffer: Vec::new() }
    }
}

/// One sensor, and the file that has what it says.
#[derive(Debug)]
struct Sensor {
    name: Text,
    device: Text,
    path: String,
}

impl Collector for Temp {
    fn collect(&mut self, host: &Host, at: Monotonic, rows: &mut Rows) -> Result<Outcome, CollectError> {
        if self.looked.is_none_or(|looked| at.since(looked) >= LOOK) {
            self.sensors = sensors(host);
            self.looked = Some(at);
        }
        if self.sensors.is_empty() {
            return Ok(Outcome::Nothing("no sensor tells a temperature"));
        }
        for sensor in &self.sensors {
            if let Some(degrees) = degrees(host, &sensor.path, &mut self.buffer) {
                let tags = [("sensor", &sensor.name), ("device", &sensor.device)];
                let tags = rows.base().and(tags.map(|(key, value)| (Text::of(key), value.clone())));
                rows.add_tagged("temp", tags, Fields::new().with("temp", degrees));
            }
        }
        Ok(Outcome::Read)
    }
}

/// All sensors of the monitors, else of the zones.
fn sensors(host: &Host) -> Vec<Sensor> {
    let mut inputs = inputs(host, "");
    if inputs.is_empty() {
        inputs = self::inputs(host, "/device");
    }
    if inputs.is_empty() {
        let zones = numbered(host, ZONES, "thermal_zone");
        return zones.into_iter().filter_map(|zone| of_zone(host, zone)).collect();
    }
    let mut seen = HashSet::new();
    inputs.iter().map(|(folder, number)| of_monitor(host, folder, number, &mut seen)).collect()
}

/// The folders `KIND0`, `KIND1`, ... in a folder; none if it is not there.
fn numbered(host: &Host, folder: &str, kind: &str) -> Vec<String> {
    let names = host.list(folder).unwrap_or_default();
    names.into_iter().filter(|name| name.starts_with(kind)).collect()
}

/// Folder and number of every temperature of every monitor.
fn inputs(host: &Host, below: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for monitor in numbered(host, MONITORS, "hwmon") {
        let folder = format!("{MONITORS}/{monitor}{below}");
        for name in host.list(&folder).unwrap_or_default() {
            let number = name.strip_prefix("temp").and_then(|rest| rest.strip_suffix("_input"));
            if let Some(number) = number {
                found.push((folder.clone(), number.to_owned()));
            }
        }
    }
    found
}

fn of_monitor(host: &Host, folder: &str, number: &str, seen: &mut HashSet<(String, String)>) -> Sensor {
    let last = |path: &std::path::Path| Some(path.file_name()?.to_str()?.to_owned());
    let device = host.link(format!("{folder}/device")).ok().and_then(|target| last(&target));
    let device = device.or_else(|| last(folder.trim_end_matches("/device").as_ref())).unwrap_or_default();
    let name = word(host, &format!("{folder}/name")).unwrap_or_else(|| device.clone());
    let mut sensor = match word(host, &format!("{folder}/temp{number}_label")) {
        Some(label) => format!("{name}_{}", label.to_lowercase().replace(' ', "_")),
        None => name,
    };
    // Also of a sensor that fails just now, so that none is called otherwise for it.
    if !seen.insert((sensor.clone(), device.clone())) {
        sensor = format!("{sensor}_{number}");
        seen.insert((sensor.clone(), device.clone()));
    }
    let path = format!("{folder}/temp{number}_input");
    Sensor { name: sensor.into(), device: device.into(), path }
}

fn of_zone(host: &Host, zone: String) -> Option<Sensor> {
    let name = word(host, &format!("{ZONES}/{zone}/type"))?.into();
    let path = format!("{ZONES}/{zone}/temp");
    Some(Sensor { name, device: zone.into(), path })
}

/// What stands in a small file; none if nothing does.
fn word(host: &Host, path: &str) -> Option<String> {
    let text = host.read(path).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The kernel counts in thousandths of a degree.
fn degrees(host: &Host, path: &str, buffer: &mut Vec<u8>) -> Option<f64> {
    host.reread(path, buffer).ok()?;
    Some(f64::from(std::str::from_utf8(buffer).ok()?.trim().parse::<i32>().ok()?) / 1000.0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::{Temp, degrees};
    use crate::collectors::{Collector, Outcome};
    use crate::host::Host;
    use crate::metric::{Monotonic, Rows, Tags, UnixNanos, Value};

    fn new() -> Temp {
        Temp { sensors: Vec::new(), looked: None, buffer: Vec::new() }
    }

    /// A machine with these files; a text that begins with `>` is where a link leads.
    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join("sys/class").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match content.strip_prefix('>') {
                Some(target) => symlink(target, path).unwrap(),
                None => std::fs::write(path, content).unwrap(),
            }
        }
        folder
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: &[(&str, &str, f64)]) {
        let folder = machine(files);
        let mut rows = Rows::new(UnixNanos(0), Tags::default());
        let outcome = new().collect(&Host::new(folder.path()), Monotonic::default(), &mut rows).unwrap();
        assert_eq!(outcome == Outcome::Read, !files.is_empty());
        let samples = rows.into_samples();
        let said: Vec<_> = samples
            .iter()
            .map(|sample| {
                let Some(Value::F64(degrees)) = sample.fields.get("temp") else { panic!("{sample:?}") };
                let tag = |name| sample.tags.get(name).unwrap_or_default();
                (tag("sensor"), tag("device"), degrees.get())
            })
            .collect();
        assert_eq!(said, expected);
    }

    #[test]
    fn sensors_are_named_by_chip_and_label() {
        check(
            &[
                ("hwmon/hwmon0/name", "coretemp\n"),
                ("hwmon/hwmon0/device", ">../../../coretemp.0"),
                ("hwmon/hwmon0/temp1_input", "51000\n"),
                ("hwmon/hwmon0/temp1_label", "Package id 0\n"),
                ("hwmon/hwmon0/temp1_max", "100000\n"),
                ("hwmon/hwmon1/name", "nvme\n"),
                ("hwmon/hwmon1/device", ">../../nvme0"),
                ("hwmon/hwmon1/temp1_input", "-500\n"),
                ("hwmon/hwmon1/temp1_label", "Composite\n"),
                ("hwmon/hwmon2/name", "acpitz\n"),
                ("hwmon/hwmon2/temp1_input", "16800\n"),
                ("hwmon/hwmon2/temp2_input", "27800\n"),
                ("thermal/thermal_zone0/type", "acpitz\n"),
                ("thermal/thermal_zone0/temp", "16800\n"),
            ],
            &[
                ("coretemp_package_id_0", "coretemp.0", 51.0),
                ("nvme_composite", "nvme0", -0.5),
                ("acpitz", "hwmon2", 16.8),
                ("acpitz_2", "hwmon2", 27.8),
            ],
        );
    }

    #[test]
    fn zones_are_read_where_no_monitor_tells_a_temperature() {
        let zone = [
            ("hwmon/hwmon0/name", "fans\n"),
            ("hwmon/hwmon0/fan1_input", "1200\n"),
            ("thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("thermal/thermal_zone0/temp", "48312\n"),
            ("thermal/thermal_zone1/temp", "48312\n"),
            ("thermal/cooling_device0/type", "Processor\n"),
        ];
        check(&zone, &[("cpu-thermal", "thermal_zone0", 48.312)]);
        check(&[], &[]);
    }

    #[test]
    fn old_kernels_have_the_files_of_the_device() {
        let files =
            [("hwmon/hwmon0/device/name", "k8temp\n"), ("hwmon/hwmon0/device/temp1_input", "40000\n")];
        check(&files, &[("k8temp", "hwmon0", 40.0)]);
    }

    /// A sensor that cannot be read, is odd or would block (a pipe nobody writes to) costs the others nothing.
    #[test]
    fn a_sensor_that_fails_is_left_out() {
        let folder = machine(&[
            ("hwmon/hwmon0/name", "chip\n"),
            ("hwmon/hwmon0/temp1_input/is_a_folder", ""),
            ("hwmon/hwmon0/temp2_input", "hot\n"),
            ("hwmon/hwmon0/temp3_input", ""),
            ("hwmon/hwmon0/temp4_input", "99999999999999999999\n"),
            ("hwmon/hwmon0/temp6_input", "36600\n"),
        ]);
        let pipe = folder.path().join("sys/class/hwmon/hwmon0/temp5_input");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        let host = Host::new(folder.path());
        let mut rows = Rows::new(UnixNanos(0), Tags::default());
        new().collect(&host, Monotonic::default(), &mut rows).unwrap();
        let samples = rows.into_samples();
        let [sample] = &samples[..] else { panic!("{samples:?}") };
        assert_eq!(sample.tags.get("sensor"), Some("chip_6"), "as when the others answer");
        assert_eq!(degrees(&host, "/sys/class/hwmon/hwmon0/temp6_input", &mut Vec::new()), Some(36.6));
    }

    #[test]
    fn sensors_that_come_are_seen_within_a_minute() {
        let folder = machine(&[("hwmon/hwmon0/name", "chip\n"), ("hwmon/hwmon0/temp1_input", "1000\n")]);
        let host = Host::new(folder.path());
        let mut temp = new();
        let mut count = |seconds| {
            let mut rows = Rows::new(UnixNanos(0), Tags::default());
            temp.collect(&host, Monotonic(Duration::from_secs(seconds)), &mut rows).unwrap();
            rows.len()
        };
        assert_eq!(count(0), 1);
        let monitor = folder.path().join("sys/class/hwmon/hwmon0");
        std::fs::write(monitor.join("temp2_input"), "2000\n").unwrap();
        assert_eq!([count(59), count(60)], [1, 2]);
        // Of a device that is gone the kernel's file tells nothing any more, to those either who have it open.
        std::fs::write(monitor.join("temp1_input"), "").unwrap();
        std::fs::remove_file(monitor.join("temp1_input")).unwrap();
        assert_eq!([count(61), count(119), count(120)], [1, 1, 1]);
    }
}
