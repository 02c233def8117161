#include "network.hpp"

#include <omp.h>
#include <sys/stat.h>

#include <unordered_map>

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include "archive.hpp"
#include "fault.hpp"

namespace tradewind {
namespace {

using torch::inductor::AOTIModelPackageLoader;

// The count of threads is also that of the host's own parallel loops: ours holds during our calls only.
class Threads {
 public:
  explicit Threads(int wanted) : before_(omp_get_max_threads()), changed_(before_ != wanted) {
    if (changed_) omp_set_num_threads(wanted);
  }
  ~Threads() {
    if (changed_) omp_set_num_threads(before_);
  }
  Threads(const Threads &) = delete;
  Threads &operator=(const Threads &) = delete;

 private:
  int before_;
  bool changed_;
};

std::string first_line(const std::string &text) { return text.substr(0, text.find('\n')); }

// torch's own messages end in pages of stack.
std::string reason(const std::exception &error) {
  const auto *ours = dynamic_cast<const c10::Error *>(&error);
  return first_line(ours ? ours->what_without_backtrace() : error.what());
}

[[noreturn]] void refuse(const std::string &path, const std::string &why) {
  throw Fault(TRADEWIND_CHECKPOINT, "", path + ": " + why);
}

void check_file(const std::string &path) {
  struct stat seen;
  if (stat(path.c_str(), &seen) != 0) refuse(path, "there is no such file");
  if (!S_ISREG(seen.st_mode)) refuse(path, "this is no file");
}

using Metadata = std::unordered_map<std::string, std::string>;

std::string told(const Metadata &metadata, const char *key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

// Instructions that a processor lacks end the process: it is asked before anything of the package is run.
bool runs_here(const std::string &instructions) {
#if defined(__x86_64__)
  const bool long_vectors = instructions.rfind("AVX512", 0) == 0 || instructions.find("AMX") != std::string::npos;
  if (long_vectors) return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
  if (instructions == "AVX2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return true; // what others there are, the compiled code itself looks at
}

Metadata metadata_of(const std::string &path) {
  check_file(path);
  try {
    check_archive(path);
    return AOTIModelPackageLoader::load_metadata_from_package(path, "model");
  } catch (const Fault &fault) {
    refuse(path, fault.message);
  } catch (const std::exception &error) {
    refuse(path, "this is no frozen network, or it is damaged (" + reason(error) + ")");
  }
}

std::unique_ptr<AOTIModelPackageLoader> load(const std::string &path) {
  try {
    return std::make_unique<AOTIModelPackageLoader>(path, "model", true);
  } catch (const std::exception &error) {
    refuse(path, "it cannot be loaded: it is damaged, or was frozen with another torch (" + reason(error) + ")");
  }
}

at::ScalarType type_of(const Field &field) {
  return field.kind == TRADEWIND_REAL32 ? at::kFloat : at::kDouble;
}

c10::SmallVector<int64_t, 2> sizes_of(const Field &field, int64_t n) {
  return field.levels ? c10::SmallVector<int64_t, 2>{field.levels, n} : c10::SmallVector<int64_t, 2>{n};
}

void check_output(const Field &field, const at::Tensor &output, int64_t n) {
  if (output.scalar_type() != type_of(field) || output.sizes() != sizes_of(field, n) || !output.is_contiguous())
    throw Fault(TRADEWIND_CHECKPOINT, field.name, "the network does not give what its file declares");
}

} // namespace

struct Network::Loaded {
  std::unique_ptr<AOTIModelPackageLoader> package;
  torch::inductor::AOTIModelContainerRunner *runner; // of the package
  std::vector<const Field *> imports, exports;
  int threads;
};

Network::Network(const std::string &path, int threads) : loaded_(std::make_unique<Loaded>()) {
  const Threads ours(threads);
  at::set_num_threads(threads);
  const Metadata metadata = metadata_of(path);
  try {
    fields_ = read_fields(told(metadata, "tradewind.fields"));
    domain_ = Domain::read(told(metadata, "tradewind.domain"), fields_);
  } catch (const Fault &fault) {
    refuse(path, fault.message);
  }
  if (const std::string wanted = told(metadata, "AOTI_CPU_ISA"); !runs_here(wanted))
    refuse(path, "it was frozen for a processor with " + wanted + " (freeze it on this machine)");
  loaded_->package = load(path);
  loaded_->runner = loaded_->package->get_runner();
  loaded_->threads = threads;
  for (const Field &field : fields_) (field.enters() ? loaded_->imports : loaded_->exports).push_back(&field);
}

Network::~Network() = default;

void Network::run(const std::vector<const void *> &inputs, int64_t n,
                  const std::function<void(size_t, const void *)> &give) const {
  const Threads ours(loaded_->threads);
  const c10::InferenceMode nothing_is_recorded;
  std::vector<at::Tensor> taken;
  taken.reserve(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Field &field = *loaded_->imports[i];
    taken.push_back(at::from_blob(const_cast<void *>(inputs[i]), sizes_of(field, n), type_of(field)));
  }
  const std::vector<at::Tensor> given = loaded_->runner->boxed_run(std::move(taken));
  if (given.size() != loaded_->exports.size())
    throw Fault(TRADEWIND_CHECKPOINT, "", "the network does not give as many fields as its file declares");
  for (size_t i = 0; i < given.size(); ++i) {
    check_output(*loaded_->exports[i], given[i], n);
    give(i, given[i].const_data_ptr());
  }
}

} // namespace tradewind
