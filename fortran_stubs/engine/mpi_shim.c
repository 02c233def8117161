/* Nothing. Built as a library whose SONAME is libmpi.so.12, it stands in for that name before the loader where the
 * host's MPI, of the same ABI, goes by another (python_mpi.c). */
extern const int tradewind_mpi_shim;
const int tradewind_mpi_shim = 12;
