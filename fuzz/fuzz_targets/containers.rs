//! The files about containers: mount tables, cgroups of version 1 and 2, the network of a process,
//! Docker's own files (the engine does not answer, so its files are read), and those of the other runtimes.

#![no_main]

use std::cell::RefCell;

use dunlin::containers::group::Group;
use dunlin::containers::runtime::files::Files;
use dunlin::containers::{Config, Containers, Update};
use dunlin_fuzz::{Machine, check, moment, readings, rows, with_section};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::default();
}

fuzz_target!(|data: &[u8]| {
    MACHINE.with_borrow_mut(|folder| {
        let readings = readings(data);
        folder.write(&readings[0]);
        let groups: Vec<_> = Group::ALL.iter().map(|group| group.name()).collect();
        let text =
            format!("labels = [\"*\"]\nenv = [\"*\"]\ngroups = {groups:?}\nfilesystem.enabled = false");
        let config = with_section(&text, |section| Config::from_section(&section));
        let mut runtimes = Files::new(config.clone(), folder.host());
        let mut containers = Containers::new(config, folder.host());
        containers.update(Update::Unavailable);
        for (number, files) in readings.iter().enumerate() {
            folder.write(files);
            let (time, at) = moment(number);
            containers.discover(true, at);
            containers.begin_pass(at);
            let mut rows = rows(number);
            let ids: Vec<_> = containers.ids().cloned().collect();
            for id in &ids {
                if let Some(Ok(metadata)) = containers.want(id).map(|want| runtimes.describe(&want)) {
                    containers.update(Update::Known(id.clone(), Box::new(metadata)));
                }
                let _ = containers.cpu_usage(id);
                let _ = containers.collect(id, time, at, &mut rows);
            }
            containers.release(&mut rows);
            check(&rows.into_samples());
        }
        folder.clear();
        let mut rows = rows(readings.len());
        containers.discover(true, moment(readings.len()).1);
        containers.release(&mut rows);
        check(&rows.into_samples());
    });
});
