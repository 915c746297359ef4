/** Returns the reason why a file could not be read, in words. */
export function readFault(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'is a directory';
  return code ?? 'unknown error';
}

/** Returns the reason why a file could not be created, in words. */
export function createFault(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EROFS') return 'the file system is read-only';
  if (code === 'ENOSPC') return 'the disk is full';
  return code === 'ENOENT' || code === 'ENOTDIR' ? 'no such folder' : readFault(error);
}
