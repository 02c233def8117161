/* agreement.h: the ranks of a session, and how they come to the same status. Without MPI there is one rank. */
#ifndef TW_AGREEMENT_H
#define TW_AGREEMENT_H

#include <stddef.h>

#include "engine.h"

#ifdef TRADEWIND_HAVE_MPI
#include <mpi.h>
#endif

/* A communicator of our own (a duplicate of the host's, so that messages never mix); `given`: there is one. */
typedef struct {
  int given;
  int rank, size;
#ifdef TRADEWIND_HAVE_MPI
  MPI_Comm comm;
#endif
} tw_company;

/* Duplicate the host's communicator (NULL: this process alone). Collective. */
int tw_company_open(tw_company *company, const int32_t *comm, tradewind_status *status);
void tw_company_close(tw_company *company);
/* The Fortran handle of the duplicate. */
int32_t tw_company_handle(const tw_company *company);
/* Give all ranks the status of the first that failed, and return its code. Collective. */
int tw_agree(const tw_company *company, tradewind_status *status);
/* End the whole program, as the config asks when nobody looks at a status. Returns where there is no MPI. */
void tw_company_abort(const tw_company *company, int code);
/* Version text of the MPI that this library uses; empty without. */
void tw_mpi_version(char *text, size_t room);

#endif
