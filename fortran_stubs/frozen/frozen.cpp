// The engine for .pt2 files: the entries of engine.h, and the border at which what is thrown becomes a status.
// What a network cannot do (time, derivatives, filters) is left NULL: the library says "unsupported".
#include <new>

#include "../engine/engine.h"
#include "component.hpp"
#include "fault.hpp"

extern "C" {
#include "../engine/threads.h"
}

namespace {

using tradewind::Component;
using tradewind::Fault;
using tradewind::Network;

constexpr const char *NETWORK = "network"; // name of the only component

struct Session {
  std::shared_ptr<const Network> network;
  bool steady;
};

// Nothing thrown may reach C.
template <typename Work>
int guarded(tradewind_status *status, const Work &work) {
  try {
    work();
    return TRADEWIND_OK;
  } catch (const Fault &fault) {
    return tw_fail(status, fault.code, nullptr, fault.field.c_str(), "%s", fault.message.c_str());
  } catch (const std::bad_alloc &) {
    return tw_fail(status, TRADEWIND_MEMORY, nullptr, nullptr, "no memory for the network or its fields");
  } catch (const std::exception &error) {
    return tw_fail(status, TRADEWIND_MODEL, nullptr, nullptr, "the network failed: %s", error.what());
  } catch (...) {
    return tw_fail(status, TRADEWIND_INTERNAL, nullptr, nullptr, "something that is no exception was thrown");
  }
}

Component &component(void *part) { return *static_cast<Component *>(part); }

const tradewind_how &manner(const tradewind_how *how) {
  static constexpr tradewind_how plain{};
  return how ? *how : plain;
}

// ---- the session

int open(const tw_opening *opening, void **state, tradewind_status *status) {
  return guarded(status, [&] {
    auto network = std::make_shared<const Network>(opening->config, tw_threads());
    *state = new Session{std::move(network), opening->has_comm != 0};
  });
}

void close(void *state) { delete static_cast<Session *>(state); }

int component_of(void *state, const char *name, void **part, tradewind_status *status) {
  if (name != std::string(NETWORK))
    return tw_fail(status, TRADEWIND_FIELD, name, nullptr, "there is no such component (a network has one: %s)",
                   NETWORK);
  const auto *session = static_cast<const Session *>(state);
  return guarded(status, [&] { *part = new Component(session->network, session->steady); });
}

void release(void *part) { delete static_cast<Component *>(part); }

int ping(void *) { return TRADEWIND_OK; }

// ---- the component

int set_grid(void *part, int64_t n, const int64_t *global_index, const double *, const double *, const int32_t *mask,
             tradewind_status *status) {
  return guarded(status, [&] { component(part).set_grid(n, global_index, mask); });
}

int describe(void *, tradewind_status *) { return TRADEWIND_OK; }

int fields(void *part, int32_t *count, tradewind_status *) {
  *count = component(part).count();
  return TRADEWIND_OK;
}

int field_of(void *part, int32_t number, tradewind_field *field, tradewind_status *status) {
  return guarded(status, [&] { component(part).declare(number, field); });
}

int only_values(tw_what what, const char *name, tradewind_status *status) {
  if (what == TW_VALUE) return TRADEWIND_OK;
  return tw_fail(status, TRADEWIND_UNSUPPORTED, nullptr, name,
                 "the frozen engine has no tangents and adjoints (open the .safetensors)");
}

int put(void *part, tw_what what, const char *name, const tradewind_array *array, const tradewind_how *how,
        tradewind_status *status) {
  if (only_values(what, name, status) != TRADEWIND_OK) return int(status->code);
  return guarded(status, [&] { component(part).put(name, *array, manner(how)); });
}

int bind(void *part, const char *name, const tradewind_array *array, const tradewind_how *how,
         tradewind_status *status) {
  return guarded(status, [&] { component(part).bind(name, *array, manner(how)); });
}

int get(void *part, tw_what what, const char *name, const tradewind_array *array, const tradewind_how *how,
        tradewind_status *status) {
  if (only_values(what, name, status) != TRADEWIND_OK) return int(status->code);
  return guarded(status, [&] { component(part).get(name, *array, manner(how)); });
}

int run(void *part, double, double, tradewind_status *status) {
  return guarded(status, [&] { component(part).run(); });
}

tw_engine made() {
  tw_engine engine{};
  engine.name = "frozen";
  engine.open = open;
  engine.close = close;
  engine.component_of = component_of;
  engine.release = release;
  engine.set_grid = set_grid;
  engine.describe = describe;
  engine.fields = fields;
  engine.field_of = field_of;
  engine.put = put;
  engine.bind = bind;
  engine.get = get;
  engine.run = run;
  engine.ping = ping;
  return engine;
}

} // namespace

extern "C" __attribute__((visibility("default"))) const tw_engine *tw_frozen_engine(void) {
  static const tw_engine engine = made();
  return &engine;
}
