//! Which cloud a machine is in, by what its firmware (DMI) says.
//!
//! No question goes over the network: what only a metadata service tells (the type of an instance of
//! Google's or Microsoft's) is absent. A virtual machine of one's own (QEMU, Hyper-V) is in no cloud:
//! its vendor alone proves nothing, since Microsoft also makes notebooks and Google Chromebooks.

use serde::Serialize;

use super::line;
use crate::host::Host;

/// A cloud and what it calls this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cloud {
    /// Its name.
    pub provider: &'static str,
    /// What kind of machine was ordered: `m5.large`.
    pub instance_type: Option<String>,
    /// Its id there.
    pub instance_id: Option<String>,
}

/// What marks a cloud: the beginning of the text in a file of DMI's; and where type and id stand.
struct Mark {
    file: &'static str,
    begins: &'static str,
    provider: &'static str,
    instance_type: Option<&'static str>,
    instance_id: Option<&'static str>,
}

impl Mark {
    const fn new(file: &'static str, begins: &'static str, provider: &'static str) -> Self {
        Self { file, begins, provider, instance_type: None, instance_id: None }
    }

    const fn type_in(mut self, file: &'static str) -> Self {
        self.instance_type = Some(file);
        self
    }

    const fn id_in(mut self, file: &'static str) -> Self {
        self.instance_id = Some(file);
        self
    }
}

/// The first that fits counts.
const MARKS: &[Mark] = &[
    Mark::new("sys_vendor", "Amazon EC2", "AWS").type_in("product_name").id_in("board_asset_tag"),
    // The older instances, which run on Xen.
    Mark::new("bios_vendor", "Amazon", "AWS"),
    Mark::new("bios_version", "4.2.amazon", "AWS"),
    Mark::new("bios_version", "4.11.amazon", "AWS"),
    Mark::new("product_name", "Google Compute Engine", "GCE"),
    // The letters of "MSFT AZURE VM" as numbers.
    Mark::new("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "Azure").id_in("product_uuid"),
    Mark::new("sys_vendor", "Hetzner", "Hetzner").id_in("product_serial"),
    Mark::new("sys_vendor", "DigitalOcean", "DigitalOcean").id_in("product_serial"),
    Mark::new("sys_vendor", "Alibaba Cloud", "Alibaba"),
    Mark::new("sys_vendor", "Tencent Cloud", "Tencent"),
    Mark::new("sys_vendor", "Vultr", "Vultr").id_in("product_serial"),
    Mark::new("sys_vendor", "Akamai", "Akamai").id_in("product_serial"),
    Mark::new("sys_vendor", "Linode", "Akamai").id_in("product_serial"),
    Mark::new("sys_vendor", "Scaleway", "Scaleway"),
    Mark::new("sys_vendor", "UpCloud", "UpCloud").id_in("product_serial"),
    Mark::new("product_name", "Exoscale", "Exoscale"),
    Mark::new("chassis_asset_tag", "OracleCloud.com", "Oracle"),
    Mark::new("chassis_asset_tag", "OpenTelekomCloud", "OpenStack").id_in("product_uuid"),
    Mark::new("chassis_asset_tag", "HUAWEICLOUD", "OpenStack").id_in("product_uuid"),
    Mark::new("product_name", "OpenStack", "OpenStack").id_in("product_uuid"),
    Mark::new("sys_vendor", "OpenStack Foundation", "OpenStack").id_in("product_uuid"),
];

/// What the firmware of `host` tells.
pub(super) fn read(host: &Host) -> Option<Cloud> {
    decide(|file| line(host, &format!("/sys/class/dmi/id/{file}")))
}

fn decide(dmi: impl Fn(&str) -> Option<String>) -> Option<Cloud> {
    let fits = |mark: &&Mark| dmi(mark.file).is_some_and(|text| text.starts_with(mark.begins));
    let mark = MARKS.iter().find(fits)?;
    Some(Cloud {
        provider: mark.provider,
        instance_type: mark.instance_type.and_then(&dmi),
        instance_id: mark.instance_id.and_then(&dmi),
    })
}

#[cfg(test)]
mod tests {
    use super::{Cloud, decide};

    #[test]
    fn a_cloud_is_known_by_its_firmware() {
        #[track_caller]
        fn check(dmi: &[(&str, &str)], expected: Option<(&'static str, Option<&str>, Option<&str>)>) {
            let find = |file: &str| Some(dmi.iter().find(|(name, _)| *name == file)?.1.to_owned());
            let expected = expected.map(|(provider, kind, id)| Cloud {
                provider,
                instance_type: kind.map(str::to_owned),
                instance_id: id.map(str::to_owned),
            });
            assert_eq!(decide(find), expected, "{dmi:?}");
        }
        check(
            &[("sys_vendor", "Amazon EC2"), ("product_name", "m5.large"), ("board_asset_tag", "i-0123")],
            Some(("AWS", Some("m5.large"), Some("i-0123"))),
        );
        check(
            &[("sys_vendor", "Xen"), ("product_name", "HVM domU"), ("bios_version", "4.2.amazon")],
            Some(("AWS", None, None)),
        );
        check(&[("sys_vendor", "Xen"), ("product_name", "HVM domU"), ("bios_version", "4.2.1")], None);
        check(
            &[("sys_vendor", "Google"), ("product_name", "Google Compute Engine")],
            Some(("GCE", None, None)),
        );
        check(&[("sys_vendor", "Google"), ("product_name", "Eve")], None);
        check(
            &[
                ("sys_vendor", "Microsoft Corporation"),
                ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77"),
                ("product_uuid", "a-b"),
            ],
            Some(("Azure", None, Some("a-b"))),
        );
        check(&[("sys_vendor", "Microsoft Corporation"), ("product_name", "Virtual Machine")], None);
        check(
            &[("sys_vendor", "Hetzner"), ("product_name", "vServer"), ("product_serial", "77")],
            Some(("Hetzner", None, Some("77"))),
        );
        check(
            &[("sys_vendor", "DigitalOcean"), ("product_name", "Droplet")],
            Some(("DigitalOcean", None, None)),
        );
        check(
            &[("sys_vendor", "QEMU"), ("product_name", "OpenStack Nova"), ("product_uuid", "u")],
            Some(("OpenStack", None, Some("u"))),
        );
        check(
            &[("sys_vendor", "Alibaba Cloud"), ("product_name", "Alibaba Cloud ECS")],
            Some(("Alibaba", None, None)),
        );
        check(&[("sys_vendor", "QEMU"), ("product_name", "Standard PC (i440FX + PIIX, 1996)")], None);
        check(&[], None);
    }
}
