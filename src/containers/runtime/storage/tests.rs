//! What must hold of `containers::runtime::storage`.

use super::{home, user_of};

#[test]
fn a_user_is_in_the_path_of_his_containers() {
    for (cgroup, expected) in [
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-x.scope", Some(1000)),
        ("/user.slice/user-0.slice/session-1.scope/libpod-x", None),
        ("/machine.slice/libpod-x.scope", None),
        ("/user.slice/user-x.slice/libpod-x.scope", None),
        ("/user.slice/user-4294967296.slice/libpod-x.scope", None),
        ("/shop/user.slice/user-1000.slice/libpod-x.scope", None),
        ("", None),
    ] {
        assert_eq!(user_of(cgroup), expected, "{cgroup}");
    }
}

#[test]
fn a_home_is_in_the_list_of_users() {
    let passwd = "root:x:0:0:root:/root:/bin/sh\n\nodd\nann:x:1000:1000:Ann,,:/home/ann/:/bin/sh\n\
                  bob:x:1001:1001::relative:/bin/sh\ncarl:x:1002:1002:\n";
    for (user, expected) in
        [(0, Some("/root")), (1000, Some("/home/ann")), (1001, None), (1002, None), (7, None)]
    {
        assert_eq!(home(passwd, user).as_deref(), expected, "{user}");
    }
}
