/** How our servers run. A command line beats postgresql.conf, so these hold for clusters of every age. */
export const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  // What was acknowledged must survive the loss of every process.
  fsync: 'on',
  synchronous_commit: 'on',
  // Short queries only: compiling them costs more than running them.
  jit: 'off',
  io_method: 'sync',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  timezone: 'UTC',
  // Neither statements nor the values in them belong in a log.
  log_statement: 'none',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_min_messages: 'error',
  log_checkpoints: 'off',
};
