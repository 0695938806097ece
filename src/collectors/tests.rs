//! Every fixture host x every collector, and the registry as a whole.
//!
//! A machine is a folder in `tests/fixtures/host` (its README says more). A collector reads `t0`
//! and then `t1`; what it says is compared with `expected/NAME.txt` there. `UPDATE_EXPECTED=1`
//! writes these files anew. Odd machines are made from captured ones (`host::captured`): of them there
//! is only what is expected.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{CollectError, Named, Outcome, REGISTRY, from_section};
use crate::host::Host;
use crate::host::captured::{self, Captured, machines};
use crate::metric::{Monotonic, Rows, Sample, Tags, UnixNanos, Value, catalogue, said_twice};
use crate::settings::{Document, Outside};

/// The collectors that a configuration gives, and its mistakes.
fn configured(text: &str) -> (Vec<Named>, Vec<String>) {
    let variable = |_: &str| None;
    let file = |_: &Path| Err(std::io::ErrorKind::NotFound.into());
    let outside = Outside { variable: &variable, file: &file };
    let document = Document::parse(PathBuf::from("dunlin.toml"), text, &outside);
    let root = document.root();
    let section = root.section("collectors");
    let collectors = from_section(&section);
    section.finish();
    drop(root);
    let mistakes = document.into_mistakes().into_list();
    (collectors, mistakes.iter().map(ToString::to_string).collect())
}

/// A configuration in which every collector is on.
fn everything() -> String {
    let opt_in: Vec<_> = REGISTRY.iter().filter(|entry| entry.is_opt_in).map(|entry| entry.name).collect();
    let settings = "[collectors.machine]\ntopology = true\n\
                    [collectors.procstat]\ntop = 3\npatterns = [\"sleep\", \"sh -c *\"]\n";
    format!("[collectors]\nenabled = {opt_in:?}\n{settings}")
}

fn project() -> Host {
    Host::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(named: &mut Named, host: &Host, at: Monotonic) -> (Result<Outcome, CollectError>, Vec<Sample>) {
    let mut rows = Rows::new(UnixNanos(0), Tags::default());
    let outcome = named.collector.collect(host, at, &mut rows);
    (outcome, rows.into_samples())
}

/// A machine's two moments, by their names.
fn moments(machine: &str) -> [(&'static str, Captured); 2] {
    ["t0", "t1"].map(|moment| (moment, captured::at(machine, moment)))
}

/// What a collector says of a machine, as text, and its rows.
fn reading(named: &mut Named, (moment, captured): &(&str, Captured)) -> (String, Vec<Sample>) {
    let host = &captured.host;
    let (outcome, samples) = read(named, host, Monotonic(captured.since));
    let said = match outcome {
        Ok(outcome) => format!("{outcome:?}"),
        Err(error) => {
            let root = host.path("/").display().to_string();
            format!("error: {error}").replace(&root, "/")
        }
    };
    let mut text = format!("{moment}: {said}\n");
    for sample in &samples {
        text.push_str(&line(sample));
    }
    (text, samples)
}

/// Like line protocol, with the type after each number and no time.
fn line(sample: &Sample) -> String {
    let mut text = sample.measurement.to_string();
    for (key, value) in sample.tags.iter() {
        write!(text, ",{key}={value:?}").unwrap();
    }
    for (name, value) in sample.fields.iter() {
        let value = match value {
            Value::I64(number) => format!("{number}i"),
            Value::U64(number) => format!("{number}u"),
            Value::F64(number) => format!("{}f", number.get()),
            Value::Bool(truth) => truth.to_string(),
            Value::Text(text) => format!("{text:?}"),
        };
        write!(text, " {name}={value}").unwrap();
    }
    text + "\n"
}

#[test]
fn every_collector_says_of_every_machine_what_is_expected() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut wrong = Vec::new();
    for machine in machines() {
        let moments = moments(&machine);
        for named in &mut configured(&everything()).0 {
            let said = moments.each_ref().map(|moment| reading(named, moment).0).concat();
            let path = format!("tests/fixtures/host/{machine}/expected/{}.txt", named.name);
            let expected = project().read(&path).unwrap_or_default();
            if update && said != expected {
                let full = project().path(&path);
                std::fs::create_dir_all(full.parent().unwrap()).unwrap();
                std::fs::write(full, &said).unwrap();
            } else if said != expected {
                wrong.push(format!("{path}\n--- expected\n{expected}--- said\n{said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_row_fits_the_catalogue_and_every_measurement_is_met() {
    let mut met = BTreeSet::new();
    for machine in machines() {
        let moments = moments(&machine);
        let mut ticks = [Vec::new(), Vec::new()];
        for named in &mut configured(&everything()).0 {
            for (moment, tick) in moments.iter().zip(&mut ticks) {
                let samples = reading(named, moment).1;
                tick.extend(samples.iter().cloned());
                for sample in samples {
                    assert_eq!(catalogue::contradictions(&sample), [""; 0], "{machine} {}", named.name);
                    let known = catalogue::find(&sample.measurement).unwrap();
                    for (tag, _) in sample.tags.iter() {
                        assert!(
                            known.tags.contains(&tag.as_str()),
                            "{machine}: {} has no tag {tag}",
                            known.name
                        );
                    }
                    for (field, _) in sample.fields.iter() {
                        // The row that stands for it, which may end in `*`.
                        met.insert(format!("{}.{}", known.name, known.field(field).unwrap().name));
                    }
                }
            }
        }
        for tick in ticks {
            assert_eq!(said_twice(&tick), [""; 0], "{machine}");
        }
    }
    // Only 32-bit machines have high and low memory; counts of each processor and times are settings.
    let unmet = |name: &str| {
        ["mem.high_", "mem.low_", "cpu.time_", "cpu.usage_active"].iter().any(|start| name.starts_with(start))
            || ["interrupts.count", "soft_interrupts.count"].contains(&name)
    };
    for measurement in catalogue::host() {
        for field in measurement.fields {
            let name = format!("{}.{}", measurement.name, field.name);
            let listed = unmet(&name);
            assert_ne!(met.contains(&name), listed, "{name}: met by a fixture host, or listed as unmet");
        }
    }
}

#[test]
fn this_machine_is_read_without_an_error() {
    let mut ticks = [Vec::new(), Vec::new()];
    for named in &mut configured(&everything()).0 {
        for (seconds, tick) in [100, 110].into_iter().zip(&mut ticks) {
            let (outcome, samples) = read(named, &Host::new("/"), Monotonic(Duration::from_secs(seconds)));
            assert!(outcome.is_ok(), "{}: {}", named.name, outcome.unwrap_err());
            for sample in &samples {
                assert_eq!(catalogue::contradictions(sample), [""; 0], "{}", named.name);
            }
            let first = named.name == "cpu" && seconds == 100;
            let something = !samples.is_empty() || first || outcome.unwrap() != Outcome::Read;
            // A machine may have no network device that is up, no disk and nothing mounted; what it is, is
            // said once.
            let optional = ["net", "disk", "diskio", "cpu", "machine"].contains(&named.name);
            assert!(something || optional, "{} read nothing", named.name);
            tick.extend(samples);
        }
    }
    for tick in ticks {
        assert_eq!(said_twice(&tick), [""; 0]);
    }
}

#[test]
fn the_registry_is_in_order() {
    let names: Vec<_> = REGISTRY.iter().map(|entry| entry.name).collect();
    assert!(names.is_sorted_by(|one, next| one < next), "sorted, and each once: {names:?}");
    for entry in REGISTRY {
        assert!(
            entry.name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'),
            "{}",
            entry.name
        );
        let sentences = entry.summary.matches(". ").count() + 1;
        assert!(entry.summary.ends_with('.') && sentences == 1, "{}: {:?}", entry.name, entry.summary);
    }
}

#[test]
fn every_file_is_in_the_registry() {
    let files = project().list("src/collectors").unwrap();
    let members = files.iter().filter_map(|file| file.strip_suffix(".rs"));
    let members: Vec<_> = members.filter(|name| !["mod", "tests"].contains(name)).collect();
    let names: Vec<_> = REGISTRY.iter().map(|entry| entry.name).collect();
    assert_eq!(members, names);
}

#[test]
fn collectors_are_disabled_by_name() {
    let (collectors, mistakes) =
        configured("[collectors]\ndisabled = [\"cpu\", \"cpus\"]\n[collectors.net]\nx = 1\n");
    let by_default = REGISTRY.iter().filter(|entry| !entry.is_opt_in).count();
    assert_eq!(collectors.len(), by_default - 1);
    assert!(collectors.iter().all(|named| named.name != "cpu"));
    let [disabled, unknown] = &mistakes[..] else { panic!("{mistakes:?}") };
    assert!(
        disabled.starts_with("dunlin.toml:2: collectors.disabled: names no collector \"cpus\""),
        "{disabled}"
    );
    assert!(unknown.starts_with("dunlin.toml:4: collectors.net.x: is not a known key"), "{unknown}");
}

#[test]
fn settings_change_what_is_read() {
    let count = |text: &str, name: &str, machine: &str| {
        let (mut collectors, mistakes) = configured(text);
        assert_eq!(mistakes, [""; 0]);
        let named = collectors.iter_mut().find(|named| named.name == name).unwrap();
        reading(named, &("t1", captured::at(machine, "t1"))).1.len()
    };
    let v2 = "cgroup-v2-docker";
    assert_eq!(count("", "net", v2), 2);
    assert_eq!(count("[collectors.net]\nignore = []", "net", v2), 7);
    assert_eq!(count("[collectors.net]\nignore = [\"e*\", \"docker?\"]", "net", v2), 5);
    assert_eq!(count("", "disk", v2), 3);
    assert_eq!(count("[collectors.disk]\nignore_fs = [\"virtiofs\"]", "disk", v2), 1);
    assert_eq!(count("[collectors.cpu]\ncollect_cpu_time = true", "cpu", v2), 3);
    assert_eq!(count("[collectors.cpu]\nper_cpu = false\ncollect_cpu_time = true", "cpu", v2), 1);
    assert_eq!(count("", "soft_interrupts", v2), 10);
    assert_eq!(count("[collectors.soft_interrupts]\nper_cpu = true", "soft_interrupts", v2), 20);
    let interrupts = "[collectors]\nenabled = [\"interrupts\"]\n[collectors.interrupts]\nper_cpu = ";
    assert_eq!(count(&format!("{interrupts}false"), "interrupts", v2), 33);
    // ERR and MIS have one number each.
    assert_eq!(count(&format!("{interrupts}true"), "interrupts", v2), 64);
    assert_eq!(count("[collectors.disk]\nremote = true", "disk", "odd-garbage"), 4);
    assert_eq!(count("", "disk", "odd-garbage"), 3);
}

#[test]
fn times_of_processors_are_there_from_the_first_reading_and_shares_from_the_second() {
    let (mut collectors, _) =
        configured("[collectors.cpu]\ncollect_cpu_time = true\nreport_active = true\nper_cpu = false");
    let named = collectors.iter_mut().find(|named| named.name == "cpu").unwrap();
    for (moment, times, shares) in [("t0", 11, 0), ("t1", 11, 11)] {
        let rows = reading(named, &(moment, captured::at("cgroup-v2-docker", moment))).1;
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!(catalogue::contradictions(row), [""; 0]);
        let count = |start: &str| row.fields.iter().filter(|(name, _)| name.starts_with(start)).count();
        assert_eq!((count("time_"), count("usage_")), (times, shares), "{moment}");
    }
}

#[test]
fn a_bounded_reading_reaches_every_process_in_time() {
    let (mut collectors, _) = configured("[collectors.processes]\nmax_reads = 10");
    let named = collectors.iter_mut().find(|named| named.name == "processes").unwrap();
    let moment = ("t0", captured::at("cgroup-v2-docker", "t0"));
    let unknown: Vec<_> = (0..4)
        .map(|_| {
            let samples = reading(named, &moment).1;
            samples[0].fields.get("unknown").cloned()
        })
        .collect();
    assert_eq!(unknown, [16, 6, 0, 0].map(|count| Some(Value::U64(count))));
}
