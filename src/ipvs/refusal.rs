//! What the kernel's error numbers mean for each request, in the words of ipvsadm(8).

use super::errno;
use super::model::Command;
use super::wire::Request;

/// The meaning of error number `errno` (positive) as the answer to `request`.
#[must_use]
pub fn text(request: &Request, errno: i32) -> String {
    use Command::{AddDest, AddService, DeleteDest, DeleteService, EditDest, EditService};
    use Request::{Change, DumpDests, GetService, StartSync, StopSync, Zero};
    let known = match (request, errno) {
        (Change(AddService(_)), errno::EEXIST) => Some("Service already exists"),
        (Change(AddService(_) | EditService(_)), errno::ENOENT) => Some("Scheduler or persistence engine not found"),
        (Change(EditService(_) | DeleteService(_)) | Zero(_) | GetService(_) | DumpDests(_), errno::ESRCH) => {
            Some("No such service")
        }
        (Change(AddDest(..) | EditDest(..) | DeleteDest(..)), errno::ESRCH) => Some("Service not defined"),
        (Change(AddDest(..)), errno::EEXIST) => Some("Destination already exists"),
        (Change(EditDest(..) | DeleteDest(..)), errno::ENOENT) => Some("No such destination"),
        (StartSync(_), errno::EEXIST) => Some("Daemon has already run"),
        (StopSync(_), errno::ESRCH) => Some("No daemon is running"),
        (_, errno::EPERM) => Some("Permission denied (you must be root)"),
        (_, errno::EINVAL) => Some("Invalid operation.  Possibly wrong module version, address not unicast, ..."),
        (_, errno::EAFNOSUPPORT) => Some("Operation not supported with specified address family"),
        (_, errno::EOPNOTSUPP) => Some("Operation not supported with IPv6"),
        (_, errno::ENOMEM) => Some("Memory allocation problem"),
        (_, errno::ENOPROTOOPT) => Some("Protocol not available"),
        (_, errno::EMSGSIZE) => Some("Module is wrong version"),
        _ => None,
    };
    known.map_or_else(|| system_text(errno), str::to_owned)
}

/// The C library's text for an error number.
fn system_text(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_means_what_the_request_makes_of_it() {
        assert_eq!(text(&Request::StopSync(crate::ipvs::model::SyncRole::Master), 3), "No daemon is running");
        assert_eq!(text(&Request::Zero(None), 3), "No such service");
        assert_eq!(text(&Request::Flush, 34), "Numerical result out of range");
    }
}
