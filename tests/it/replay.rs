//! What was delivered or refused once is sent again, beside the running agent, into a real `influxd`.

use crate::support::{Home, Influxd, lacks, wait_for};

fn config(influxd: &Influxd) -> String {
    let sink = influxd.sink("central");
    format!(
        "[agent]\nhostname = \"again\"\ninterval = \"1s\"\nstate_dir = \"state\"\n[containers]\nenabled = false\n{sink}"
    )
}

fn count(influxd: &Influxd, measurement: &str) -> usize {
    influxd.series(measurement, "").iter().map(|series| series.rows.len()).sum()
}

#[test]
fn a_database_that_was_emptied_is_filled_again() {
    if lacks("influxd") {
        return;
    }
    let influxd = Influxd::start();
    let home = Home::new(&config(&influxd));
    let _agent = home.run();
    let before = influxd.wait_rows("mem", "", 4)[0].times();
    influxd.query("DROP DATABASE it");
    influxd.query("CREATE DATABASE it");
    let words = ["spool", "replay", "--config", "dunlin.toml", "--sink", "central", "--since", "1h"];
    let ended = home.dunlin(words);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.out.contains("will be sent to central again"), "{}", ended.out);
    wait_for("the old rows in the new database", || {
        let found = influxd.series("mem", "");
        let times = found.first().map(crate::support::Series::times)?;
        before.iter().all(|time| times.contains(time)).then_some(())
    });
    home.account("central").assert_balanced();
    let ended = home.dunlin([&words[..5], &["nobody"]].concat());
    assert_eq!(ended.code, Some(64), "{}", ended.err);
}

#[test]
fn rows_that_were_refused_are_sent_again_once_the_server_takes_them() {
    if lacks("influxd") {
        return;
    }
    let influxd = Influxd::start();
    // Somebody else wrote the field with another type.
    assert_eq!(influxd.write("swap,host=other total=\"much\"").status, 204);
    let home = Home::new(&config(&influxd));
    let _agent = home.run();
    wait_for("rows that are refused", || (home.account("central").get("rejected") >= 3).then_some(()));
    assert!(count(&influxd, "mem") > 0, "the others are stored");
    let shown = home.dunlin(["spool", "rejected", "--config", "dunlin.toml"]);
    assert!(
        shown.out.contains("field type conflict") && shown.out.contains("swap,host=again"),
        "{}",
        shown.out
    );

    influxd.query("DROP MEASUREMENT swap");
    let ended = home.dunlin(["spool", "rejected", "--config", "dunlin.toml", "--requeue"]);
    assert!(ended.out.contains("rows will be sent again"), "{}{}", ended.out, ended.err);
    wait_for("all that was refused", || {
        let account = home.account("central");
        account.assert_balanced();
        (account.get("rejected") == 0 && count(&influxd, "swap") >= 4).then_some(())
    });
}
