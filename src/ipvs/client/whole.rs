//! The kernel as what a transaction sends its commands to.

use super::{Client, Error};
use crate::ipvs::model::{Command, Table};
use crate::ipvs::transaction::{Kernel, Refused};
use crate::ipvs::transport::Transport;

impl<T: Transport> Kernel for Client<T> {
    type Error = Error;

    fn table(&mut self) -> Result<Table, Error> {
        Ok(self.dump_uncounted()?.into_iter().collect())
    }

    fn send(&mut self, commands: &[Command]) -> Result<Vec<Refused>, Error> {
        let failed = self.apply(commands)?.failed;
        Ok(failed.into_iter().map(|f| Refused { index: f.index, command: f.command, errno: f.errno, text: f.text }).collect())
    }
}
