//! Tables: what Telegraf's inputs and their keys are to dunlin.

/// What an input's key is to a collector.
pub(super) enum Rule {
    /// A key of ours that is true or false.
    Truth(&'static str),
    /// A key of ours with a list of texts.
    Texts(&'static str),
    /// A key of ours with a list, where Telegraf has texts in one, separated by spaces.
    Words(&'static str),
    /// It says what happens anyway (one of these), or is noted.
    Already(&'static [&'static str], &'static str),
}

use Rule::{Already, Texts, Truth, Words};

/// An input, the collectors that do the same, and what its keys are to them.
pub(super) type Input = (&'static str, &'static [&'static str], &'static [(&'static str, Rule)]);

/// Whatever it says.
pub(super) const ANY: &[&str] = &["", "true", "false"];

pub(super) const INPUTS: &[Input] = &[
    (
        "cpu",
        &["cpu"],
        &[
            ("percpu", Truth("per_cpu")),
            ("collect_cpu_time", Truth("collect_cpu_time")),
            ("report_active", Truth("report_active")),
            (
                "totalcpu",
                Already(
                    &["true"],
                    "the row of all processors is always there; a sink leaves it out with exclude = [\"cpu=cpu-total\"]",
                ),
            ),
            ("core_tags", Already(&["false"], "rows have no tags for cores")),
            // The times of long ago, which are not told anyway.
            ("fielddrop", Already(&["time_*"], "rows are taken whole")),
            ("fieldexclude", Already(&["time_*"], "rows are taken whole")),
        ],
    ),
    ("mem", &["mem"], &[]),
    ("swap", &["swap"], &[]),
    (
        "disk",
        &["disk"],
        &[
            ("ignore_fs", Texts("ignore_fs")),
            (
                "mount_points",
                Already(
                    &[""],
                    "all mount points are read; a sink's include or exclude chooses, such as \"path=/home*\"",
                ),
            ),
            (
                "mountpoints",
                Already(
                    &[""],
                    "all mount points are read; a sink's include or exclude chooses, such as \"path=/home*\"",
                ),
            ),
            ("ignore_mount_opts", Already(&[""], "mount points are not judged by their options")),
        ],
    ),
    (
        "diskio",
        &["diskio"],
        &[
            (
                "devices",
                Already(
                    &["", "*"],
                    "all devices are read; a sink's include or exclude chooses, such as \"name=sda*\"",
                ),
            ),
            ("skip_serial_number", Already(&["true"], "serial numbers are not told")),
            ("device_tags", Already(&[""], "udev is not asked")),
            (
                "name_templates",
                Already(&[""], "udev is not asked; names of the device mapper are told as dm_name"),
            ),
        ],
    ),
    (
        "net",
        &["net"],
        &[
            ("interfaces", Already(&[""], "interfaces are left out, not chosen: ignore in [collectors.net]")),
            ("ignore_protocol_stats", Already(ANY, "")),
        ],
    ),
    ("netstat", &["netstat"], &[]),
    ("system", &["system"], &[]),
    (
        "processes",
        &["processes"],
        &[
            ("force_ps", Already(&["false"], "no program is started")),
            ("force_proc", Already(ANY, "")),
            ("use_sudo", Already(&["false"], "no program is started")),
        ],
    ),
    ("kernel", &["kernel"], &[]),
    (
        "kernel_vmstat",
        &["kernel_vmstat"],
        &[("fieldpass", Texts("fields")), ("fieldinclude", Texts("fields"))],
    ),
    ("interrupts", &["interrupts", "soft_interrupts"], &[("cpu_as_tag", Truth("per_cpu"))]),
    (
        "nstat",
        &["nstat"],
        &[
            ("fieldpass", Texts("fields")),
            ("fieldinclude", Texts("fields")),
            ("dump_zeros", Already(&["true"], "counters of nothing are told too")),
            ("proc_net_netstat", Already(&["", "/proc/net/netstat"], "files are those below agent.root")),
            ("proc_net_snmp", Already(&["", "/proc/net/snmp"], "files are those below agent.root")),
            ("proc_net_snmp6", Already(&["", "/proc/net/snmp6"], "files are those below agent.root")),
        ],
    ),
    (
        "conntrack",
        &["conntrack"],
        &[
            (
                "files",
                Already(
                    &["ip_conntrack_count,ip_conntrack_max,nf_conntrack_count,nf_conntrack_max"],
                    "which files are read is fixed",
                ),
            ),
            (
                "dirs",
                Already(
                    &["/proc/sys/net/ipv4/netfilter,/proc/sys/net/netfilter"],
                    "which files are read is fixed",
                ),
            ),
            ("collect", Already(&["", "all"], "which files are read is fixed")),
        ],
    ),
    ("linux_sysctl_fs", &["linux_sysctl_fs"], &[]),
    (
        "mdstat",
        &["mdstat"],
        &[("file_name", Already(&["", "/proc/mdstat"], "files are those below agent.root"))],
    ),
    (
        "temp",
        &["temp"],
        &[
            ("metric_format", Already(&["", "v1", "v2"], "")),
            ("add_device_tag", Already(&["false"], "rows have no such tag")),
        ],
    ),
    (
        "systemd_units",
        &["systemd_units"],
        &[
            ("unittype", Words("types")),
            ("pattern", Words("patterns")),
            ("subcommand", Already(&["", "list-units"], "fields are those of list-units")),
            ("collect_disabled_units", Already(&["false"], "units that are not loaded are not told")),
            ("details", Already(&["false"], "fields are those of list-units")),
            ("scope", Already(&["", "system"], "units of users are not told")),
            ("timeout", Already(&["1s", "5s"], "readings have a deadline of their own")),
        ],
    ),
];

/// Why an input has no collector, where there is more to say than that.
pub(super) const OTHERS: &[(&str, &str)] = &[
    (
        "internal",
        "dunlin tells of itself in dunlin_agent, dunlin_collector, dunlin_spool and dunlin_sink, always",
    ),
    (
        "cgroup",
        "name control groups in [containers] cgroups, as paths with * and ?; rows are cgroup_cpu and so on",
    ),
    ("hddtemp", "temperatures of disks are in temp where the kernel has drivetemp: enable it there"),
    ("linux_cpu", "processor frequencies and throttling are not measured"),
    (
        "podman",
        "containers of Podman are measured as those of Docker: add \"podman\" to runtimes in [containers]",
    ),
    (
        "kubernetes",
        "containers of pods are measured where they run: add \"containerd\" or \"crio\" to runtimes in [containers]",
    ),
];
