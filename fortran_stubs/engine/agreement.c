#include "agreement.h"

#include <limits.h>
#include <string.h>

#include "status.h"

static void alone(tw_company *company) {
  memset(company, 0, sizeof *company);
  company->size = 1;
}

#ifndef TRADEWIND_HAVE_MPI

int tw_company_open(tw_company *company, const int32_t *comm, tradewind_status *status) {
  alone(company);
  if (comm == NULL) return TRADEWIND_OK;
  return tw_fail(status, TRADEWIND_MPI, NULL, NULL,
                 "this libtradewind was built without MPI and takes no communicator (build it where CMake finds MPI)");
}

void tw_company_close(tw_company *company) { company->given = 0; }
int32_t tw_company_handle(const tw_company *company) { return company->rank; }
void tw_company_abort(const tw_company *company, int code) { (void)company, (void)code; }
void tw_mpi_version(char *text, size_t room) { tw_text(text, room, ""); }

int tw_agree(const tw_company *company, tradewind_status *status) {
  if (status->code != TRADEWIND_OK && status->rank < 0) status->rank = company->rank;
  return (int)status->code;
}

#else

static int running(void) {
  int begun = 0, ended = 0;
  MPI_Initialized(&begun);
  MPI_Finalized(&ended);
  return begun && !ended;
}

/* MPI reports a handle that is none through the handlers of its predefined communicators, which abort. */
typedef struct {
  MPI_Errhandler world, self;
} tw_handlers;

static void soften(tw_handlers *kept) {
  MPI_Comm_get_errhandler(MPI_COMM_WORLD, &kept->world);
  MPI_Comm_get_errhandler(MPI_COMM_SELF, &kept->self);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
}

static void harden(tw_handlers *kept) {
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, kept->world);
  MPI_Comm_set_errhandler(MPI_COMM_SELF, kept->self);
  MPI_Errhandler_free(&kept->world);
  MPI_Errhandler_free(&kept->self);
}

static int duplicate(tw_company *company, MPI_Comm host, tradewind_status *status) {
  int size, between = 0;
  if (MPI_Comm_size(host, &size) != MPI_SUCCESS || MPI_Comm_test_inter(host, &between) != MPI_SUCCESS)
    return tw_fail(status, TRADEWIND_MPI, NULL, NULL, "the communicator given is not one of this MPI");
  if (between) return tw_fail(status, TRADEWIND_MPI, NULL, NULL, "an intercommunicator cannot carry a session");
  if (MPI_Comm_dup(host, &company->comm) != MPI_SUCCESS)
    return tw_fail(status, TRADEWIND_MPI, NULL, NULL, "MPI_Comm_dup failed on the communicator given");
  MPI_Comm_set_errhandler(company->comm, MPI_ERRORS_RETURN);
  MPI_Comm_size(company->comm, &company->size);
  MPI_Comm_rank(company->comm, &company->rank);
  company->given = 1;
  return TRADEWIND_OK;
}

int tw_company_open(tw_company *company, const int32_t *comm, tradewind_status *status) {
  alone(company);
  if (comm == NULL) return TRADEWIND_OK;
  if (!running())
    return tw_fail(status, TRADEWIND_MPI, NULL, NULL,
                   "a communicator was given, but MPI is not running: call init after MPI_Init, before MPI_Finalize");
  const MPI_Comm host = MPI_Comm_f2c((MPI_Fint)*comm);
  if (host == MPI_COMM_NULL)
    return tw_fail(status, TRADEWIND_MPI, NULL, NULL,
                   "the communicator is MPI_COMM_NULL: only its members may open a session on it");
  tw_handlers kept;
  soften(&kept);
  const int code = duplicate(company, host, status);
  harden(&kept);
  return code;
}

void tw_company_close(tw_company *company) {
  if (company->given && running()) MPI_Comm_free(&company->comm);
  company->given = 0; /* rank and size are still told */
}

int32_t tw_company_handle(const tw_company *company) { return (int32_t)MPI_Comm_c2f(company->comm); }

/* Ranks that failed by themselves come before those that only heard of it. */
static int standing(const tw_company *company, const tradewind_status *status) {
  if (status->code == TRADEWIND_OK) return INT_MAX;
  return status->rank == TW_SECOND_HAND ? company->size + company->rank : company->rank;
}

static int spread(const tw_company *company, tradewind_status *status, int root) {
  tradewind_status told;
  tw_copy_status(&told, status);
  if (MPI_Bcast(&told, (int)sizeof told, MPI_BYTE, root, company->comm) != MPI_SUCCESS)
    return tw_fail(status, TRADEWIND_MPI, NULL, NULL, "rank %d failed, and its status could not be sent", root);
  told.rank = root;
  tw_copy_status(status, &told);
  return (int)status->code;
}

static int talk(const tw_company *company, tradewind_status *status) {
  int mine = standing(company, status), first = mine;
  if (MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, company->comm) != MPI_SUCCESS)
    return tw_fail(status, TRADEWIND_MPI, NULL, NULL, "the ranks could not agree: MPI_Allreduce failed");
  if (first == INT_MAX) return TRADEWIND_OK;
  return spread(company, status, first % company->size);
}

int tw_agree(const tw_company *company, tradewind_status *status) {
  if (company->size > 1 && company->given && running()) return talk(company, status);
  if (company->size > 1 && status->code == TRADEWIND_OK)
    tw_fail(status, TRADEWIND_MPI, NULL, NULL, "MPI has been finalized before the session");
  if (status->code != TRADEWIND_OK) status->rank = company->rank;
  return (int)status->code;
}

void tw_company_abort(const tw_company *company, int code) {
  if (running()) MPI_Abort(company->given ? company->comm : MPI_COMM_SELF, code);
}

void tw_mpi_version(char *text, size_t room) {
  char version[MPI_MAX_LIBRARY_VERSION_STRING + 1] = "";
  int length = 0;
  MPI_Get_library_version(version, &length);
  tw_text(text, room, version);
}

#endif
