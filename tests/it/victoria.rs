//! victoria-metrics speaks the same line protocol in another implementation, by the paths of
//! `InfluxDB` 1.x and 2.x. What arrives by both must be the same to the last number.

use crate::support::{Home, Victoria, lacks, wait_for};

#[test]
fn both_paths_bring_the_same_rows() {
    if lacks("victoria-metrics") {
        return;
    }
    let (first, second) = (Victoria::start(), Victoria::start());
    let config = format!(
        r#"
[agent]
hostname = "both paths"
interval = "1s"
state_dir = "state"
[tags]
site = "north, \"east\""
[containers]
enabled = false
[[sinks.influxdb]]
name = "one"
urls = ["http://127.0.0.1:{}"]
api = "v1"
database = "it"
[[sinks.influxdb]]
name = "two"
urls = ["http://127.0.0.1:{}"]
api = "v2"
org = "it"
bucket = "it"
token = "anything"
"#,
        first.port(),
        second.port()
    );
    let home = Home::new(&config);
    let mut agent = home.run();
    let delivered = |sink: &str| home.account(sink).get("delivered");
    wait_for("a few ticks to be delivered", || {
        (delivered("one") > 300 && delivered("two") > 300).then_some(())
    });
    assert!(agent.server.stop().success(), "{}", agent.server.last_words());
    for sink in ["one", "two"] {
        let account = home.account(sink);
        account.assert_balanced();
        assert_eq!(account.get("delivered"), account.get("collected"), "stopping flushes: {account:?}");
    }
    let selector = "{host=\"both paths\"}";
    let both = wait_for("both servers to show the same", || {
        let (one, two) = (first.export(selector), second.export(selector));
        (one.len() > 50 && one == two).then_some(one)
    });
    let total = both.iter().find(|(labels, _)| labels["__name__"] == "mem_total").unwrap();
    assert_eq!(total.0["site"], "north, \"east\"");
    assert!(total.1.len() >= 2, "{total:?}");
}
