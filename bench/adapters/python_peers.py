"""supervisord and circus."""

import shlex

import procs
from adapters import base


class Supervisor(base.Manager):
    """supervisord: one daemon for all services."""

    name = "supervisor"
    variants = ("", "fast")
    add_note = "conf file written beforehand; the command is `supervisorctl update NAME`"
    up_note = "`supervisorctl start` waits startsecs (1 s by default)"

    def find(self):
        self.d = base.which("supervisord", "SUPERVISORD_BIN")
        self.ctl = base.which("supervisorctl", "SUPERVISORCTL_BIN")
        self.conf = self.root / "supervisord.conf"

    def version(self):
        return base.tool_version([self.d, "--version"])

    def open(self):
        (self.root / "conf.d").mkdir(exist_ok=True)
        r = self.root
        self.conf.write_text(
            f"[unix_http_server]\nfile={r}/s.sock\n"
            f"[supervisord]\nlogfile={r}/supervisord.log\npidfile={r}/s.pid\nchildlogdir={r}\nminfds=16000\nminprocs=200\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[supervisorctl]\nserverurl=unix://{r}/s.sock\n[include]\nfiles={r}/conf.d/*.conf\n"
        )
        self.daemon = procs.spawn([self.d, "-n", "-c", self.conf], self.env, self.root / "daemon.out")
        procs.wait_for(lambda: self.run([self.ctl, "-c", self.conf, "pid"])["rc"] == 0, 20, 0.05, "supervisord")

    def prepare(self, name, argv):
        text = (
            f"[program:{name}]\ncommand={shlex.join(map(str, argv))}\n"
            f"stdout_logfile={self.root}/{name}.log\nautorestart=true\n"
        )
        if self.variant == "fast":
            text += "startsecs=0\n"
        if self.big_logs:
            text += "stdout_logfile_maxbytes=0\n"
        (self.root / "conf.d" / f"{name}.conf").write_text(text)

    def add_cmds(self, name, argv):
        return [[self.ctl, "-c", self.conf, "update", name]]

    def up_cmds(self, name):
        return [[self.ctl, "-c", self.conf, "start", name]]

    def stop_cmds(self, name):
        return [[self.ctl, "-c", self.conf, "stop", name]]

    def mass(self, services, timeout):
        for name, argv in services:
            self.prepare(name, argv)
        t0 = procs.now()
        self.run([self.ctl, "-c", self.conf, "update"], timeout=timeout)
        return t0

    def list_cmd(self, names):
        return [self.ctl, "-c", self.conf, "status"]

    def log_files(self, name):
        return list(self.root.glob(f"{name}.log*"))


class Circus(base.Manager):
    """One daemon for all services, which looks at them every few seconds."""

    name = "circus"
    variants = ("", "fast")
    add_note = "`circusctl reloadconfig` after a section is added to the ini file"
    log_bytes = 256 << 20

    def find(self):
        self.d = base.which("circusd", "CIRCUSD_BIN")
        self.ctl = base.which("circusctl", "CIRCUSCTL_BIN")
        self.ini = self.root / "circus.ini"
        self.end = f"ipc://{self.root}/c.sock"
        self.sections = []

    def version(self):
        return base.tool_version([self.d, "--version"])

    def poll_period(self):
        return 0.05 if self.variant == "fast" else 5

    def write_ini(self):
        r = self.root
        delay = "0.05" if self.variant == "fast" else "5"
        text = f"[circus]\nendpoint={self.end}\npubsub_endpoint=ipc://{r}/p.sock\ncheck_delay={delay}\n"
        for name, argv in self.sections:
            text += (
                f"[watcher:{name}]\ncmd={shlex.join(map(str, argv))}\ncopy_env=True\n"
                f"stdout_stream.class=FileStream\nstdout_stream.filename={r}/{name}.log\n"
            )
        self.ini.write_text(text)

    def open(self):
        self.write_ini()
        self.daemon = procs.spawn([self.d, self.ini], self.env, self.root / "daemon.out")
        ask = [self.ctl, "--endpoint", self.end, "--timeout", "2", "list"]
        procs.wait_for(lambda: self.run(ask, timeout=20)["rc"] == 0, 30, 0.1, "circusd")

    def prepare(self, name, argv):
        self.sections.append((name, argv))
        self.write_ini()

    def add_cmds(self, name, argv):
        return [[self.ctl, "--endpoint", self.end, "--timeout", "60", "reloadconfig"]]

    def up_cmds(self, name):
        return [[self.ctl, "--endpoint", self.end, "--timeout", "20", "start", name]]

    def stop_cmds(self, name):
        return [[self.ctl, "--endpoint", self.end, "--timeout", "20", "stop", name, "--waiting"]]

    def mass(self, services, timeout):
        self.sections += services
        self.write_ini()
        t0 = procs.now()
        self.run([self.ctl, "--endpoint", self.end, "--timeout", str(int(timeout)), "reloadconfig"], timeout=timeout)
        return t0

    def list_cmd(self, names):
        return [self.ctl, "--endpoint", self.end, "--timeout", "20", "status"]

    def log_files(self, name):
        return [self.root / f"{name}.log"]
