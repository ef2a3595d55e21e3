import java.util.logging.*;

public class Java {
    static void read(String path) throws Exception {
        try {
            java.nio.file.Files.readString(java.nio.file.Path.of(path));
        } catch (java.io.IOException e) {
            throw new Exception("cannot read " + path, e);
        }
    }

    static void close() {
        throw new IllegalStateException("already closed");
    }

    static void load() {
        RuntimeException failed = new RuntimeException("cannot load the settings");
        try {
            read("/nonexistent.properties");
        } catch (Exception e) {
            failed.initCause(e);
        }
        try {
            close();
        } catch (RuntimeException e) {
            failed.addSuppressed(e);
        }
        throw failed;
    }

    public static void main(String[] args) throws Exception {
        System.err.println("2026-11-22 15:04:05.001 INFO  [main] app - starting");
        try {
            load();
        } catch (RuntimeException e) {
            System.err.println("2026-11-22 15:04:05.002 ERROR [main] app - request failed");
            e.printStackTrace();
        }
        System.err.println("2026-11-22 15:04:05.003 INFO  [main] app - going on");
        Logger.getLogger("app").log(Level.SEVERE, "logged with a stack", new RuntimeException("boom"));
        Logger.getLogger("app").info("logged without");
        Thread worker = new Thread(() -> load(), "worker-1");
        worker.start();
        worker.join();
        System.err.println("2026-11-22 15:04:05.004 INFO  [main] app - going on");
        load();
    }
}
