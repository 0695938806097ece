//! Pressure stall information of a cgroup: `cpu.pressure`, `memory.pressure`, `io.pressure`, and
//! `irq.pressure` of kernels that count the time of interrupts (Linux 6.1).
//!
//! v2 since Linux 4.20; on a v1 host they are in the unified tree beside it. A kernel that was built
//! with PSI but started without (`psi=0`) has the files and refuses to read them.

use std::sync::Arc;

use super::file::LazyFile;
use super::scan;
use crate::containers::reading::{Pressure, Resource, Stalled};
use crate::host::Host;

/// The three files.
#[derive(Debug)]
pub(crate) struct PressureFiles(Vec<(Resource, LazyFile)>);

impl PressureFiles {
    /// Those of a directory, if there is one.
    pub(crate) fn below(directory: Option<&Arc<str>>) -> Self {
        let files = [
            (Resource::Cpu, "cpu.pressure"),
            (Resource::Memory, "memory.pressure"),
            (Resource::Io, "io.pressure"),
            (Resource::Irq, "irq.pressure"),
        ];
        Self(files.map(|(resource, name)| (resource, LazyFile::below(directory, name))).into())
    }

    /// What they say now.
    pub(crate) fn read(&mut self, host: &Host, buffer: &mut Vec<u8>) -> Vec<Pressure> {
        let mut found = Vec::new();
        let mut has_irq = true;
        for (resource, file) in &mut self.0 {
            if let Some(bytes) = file.read(host, buffer).bytes() {
                if found.capacity() == 0 {
                    found.reserve_exact(7);
                }
                found.extend(scan::lines(bytes).filter_map(|line| parse(*resource, line)));
            } else if *resource == Resource::Irq && !found.is_empty() {
                has_irq = false;
            }
        }
        if !has_irq {
            // It is the kernel's to have, which has shown that it has the others.
            self.0.retain(|(resource, _)| *resource != Resource::Irq);
        }
        found
    }

    /// Gives up their descriptors, until they are read again.
    pub(crate) fn close(&mut self) {
        self.0.iter_mut().for_each(|(_, file)| file.close());
    }
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
fn parse(resource: Resource, line: &[u8]) -> Option<Pressure> {
    let (kind, rest) = scan::word(line)?;
    let stalled = [Stalled::Some, Stalled::Full].into_iter().find(|one| one.name().as_bytes() == kind)?;
    let (ten, rest) = scan::word(rest)?;
    let (sixty, rest) = scan::word(rest)?;
    let (three_hundred, rest) = scan::word(rest)?;
    let (total, _) = scan::word(rest)?;
    Some(Pressure {
        resource,
        stalled,
        avg10: scan::hundredths(scan::assigned(ten, "avg10")?)?,
        avg60: scan::hundredths(scan::assigned(sixty, "avg60")?)?,
        avg300: scan::hundredths(scan::assigned(three_hundred, "avg300")?)?,
        total_us: scan::lone(scan::assigned(total, "total")?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{PressureFiles, parse};
    use crate::containers::reading::{Pressure, Resource, Stalled};
    use crate::host::Host;

    #[test]
    fn interrupts_are_looked_for_once_where_the_others_are() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(folder.path());
        let write = |name: &str| {
            std::fs::write(folder.path().join(name), "full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n")
                .unwrap();
        };
        let read = |files: &mut PressureFiles| {
            let found = files.read(&host, &mut Vec::new());
            found.iter().map(|one| one.resource.name()).collect::<Vec<_>>()
        };
        let mut early = PressureFiles::below(Some(&"".into()));
        assert_eq!(read(&mut early), [""; 0]);
        write("io.pressure");
        let mut without = PressureFiles::below(Some(&"".into()));
        assert_eq!(read(&mut without), ["io"]);
        write("irq.pressure");
        for _ in 0..20 {
            assert_eq!(read(&mut without), ["io"]);
            read(&mut early);
        }
        assert_eq!(read(&mut early), ["io", "irq"]);
    }

    #[test]
    fn a_line_of_pressure() {
        let check =
            |line: &str, expected| assert_eq!(parse(Resource::Io, line.as_bytes()), expected, "{line:?}");
        let full = Pressure {
            resource: Resource::Io,
            stalled: Stalled::Full,
            avg10: 74.13,
            avg60: 0.41,
            avg300: 100.0,
            total_us: u64::MAX,
        };
        check("full avg10=74.13 avg60=0.41 avg300=100.00 total=18446744073709551615", Some(full));
        check("some avg10=74.13 avg60=0.41 avg300=100.00 total=18446744073709551616", None);
        check("some avg10=74.13 avg60=0.41 avg300=100.00", None);
        check("some avg60=74.13 avg10=0.41 avg300=100.00 total=1", None);
        check("half avg10=0.00 avg60=0.00 avg300=0.00 total=0", None);
        check("some avg10=nan avg60=0.00 avg300=0.00 total=0", None);
        check("some", None);
        check("", None);
    }
}
