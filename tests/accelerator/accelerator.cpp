// A pretend accelerator, for tests of code that must run on one where there is none.
//
// Its memory is the computer's, labelled as the memory of another device; its kernels are the CPU's. What it has of a
// real one are the refusals: tensors of two devices, a random source of another device, and the way back through a
// recurrent layer in eval mode while cuDNN is on. And it keeps books: which operations made the program wait for the
// device, and how often something was brought to it.

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/autocast_mode.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/gru_native.h>
#include <ATen/ops/lstm_native.h>
#include <ATen/ops/resize_native.h>
#include <ATen/ops/rnn_relu_native.h>
#include <ATen/ops/rnn_tanh_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

namespace {

using at::IntArrayRef;
using at::Tensor;
using at::TensorList;
constexpr c10::DeviceType KIND = c10::DeviceType::PrivateUse1;
const c10::Device PLACE(KIND, 0);

bool is_here(const Tensor& tensor) { return tensor.device().type() == KIND; }

// ---- The books -----------------------------------------------------------------------------------------------------

std::mutex book;
std::vector<std::string> waits;
int64_t arrivals = 0;
thread_local int kernels = 0;  // how deep in a kernel, whose own traffic is none of the program's

struct Kernel {
  Kernel() { ++kernels; }
  ~Kernel() { --kernels; }
};

void wait_for(const std::string& why) {
  if (kernels) return;
  std::lock_guard<std::mutex> hold(book);
  waits.push_back(why);
}

std::vector<std::string> take_waits() {
  std::lock_guard<std::mutex> hold(book);
  std::vector<std::string> taken;
  taken.swap(waits);
  return taken;
}

int64_t take_arrivals() {
  std::lock_guard<std::mutex> hold(book);
  return std::exchange(arrivals, 0);
}

// ---- Memory, and the one device -------------------------------------------------------------------------------------

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* at = bytes ? std::malloc(bytes) : nullptr;
    return {at, at, &std::free, PLACE};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &std::free; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }
};
Memory memory;
REGISTER_ALLOCATOR(c10::DeviceType::PrivateUse1, &memory);

struct Guard final : c10::impl::DeviceGuardImplInterface {
  static constexpr c10::DeviceType static_type = KIND;
  c10::Stream only() const { return c10::Stream(c10::Stream::DEFAULT, PLACE); }
  c10::DeviceType type() const override { return KIND; }
  c10::Device exchangeDevice(c10::Device) const override { return PLACE; }
  c10::Device getDevice() const override { return PLACE; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const noexcept override { return only(); }
  c10::Stream getDefaultStream(c10::Device) const override { return only(); }
  c10::Stream exchangeStream(c10::Stream) const noexcept override { return only(); }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void**, const c10::Stream&, c10::DeviceIndex, c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, c10::DeviceIndex) const noexcept override {}
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override {}
};
Guard guard;
c10::impl::DeviceGuardImplRegistrar guarded(KIND, &guard);

// ---- Random numbers -------------------------------------------------------------------------------------------------

// A source of the device. What it draws is what the CPU draws from the same seed, so that answers can be compared.
struct Source final : c10::GeneratorImpl {
  at::Generator inner;
  explicit Source(at::Generator drawn)
      : c10::GeneratorImpl(PLACE, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1)), inner(std::move(drawn)) {}
  void set_current_seed(uint64_t seed) override { inner.set_current_seed(seed); }
  void set_offset(uint64_t) override { TORCH_CHECK(false, "no offset"); }
  uint64_t get_offset() const override { return 0; }
  uint64_t current_seed() const override { return inner.current_seed(); }
  uint64_t seed() override { return inner.seed(); }
  void set_state(const c10::TensorImpl& state) override { inner.unsafeGetGeneratorImpl()->set_state(state); }
  c10::intrusive_ptr<c10::TensorImpl> get_state() const override { return inner.unsafeGetGeneratorImpl()->get_state(); }
  Source* clone_impl() const override { return new Source(inner.clone()); }
};

at::Generator fresh_source() { return at::make_generator<Source>(at::detail::createCPUGenerator()); }

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isAvailable() const override { return true; }
  bool isBuilt() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  at::Generator getNewGenerator(c10::DeviceIndex) const override { return fresh_source(); }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    static const at::Generator usual = fresh_source();
    return usual;
  }
};

// ---- Kernels --------------------------------------------------------------------------------------------------------

const std::unordered_set<std::string> SIZED_BY_VALUES = {
    "aten::_local_scalar_dense", "aten::nonzero", "aten::nonzero_static", "aten::masked_select", "aten::equal",
    "aten::_unique", "aten::_unique2", "aten::unique_dim", "aten::unique_consecutive", "aten::unique_dim_consecutive",
    "aten::bincount", "aten::repeat_interleave"};
// These take numbers of rows that lie on the CPU, and bring them over by themselves.
const std::unordered_set<std::string> INDEXING = {"aten::index", "aten::index_put_", "aten::_index_put_impl_"};

void refuse_mixture(const std::string& name, const Tensor& tensor) {
  if (!tensor.defined() || is_here(tensor) || tensor.dim() == 0) return;
  TORCH_CHECK(false, "Expected all tensors to be on the same device, but found at least two devices, ", PLACE, " and ",
              tensor.device(), "! (", name, ")");
}

void look(const std::string& name, const c10::IValue& value, bool rows) {
  auto each = [&](const Tensor& tensor) {
    if (rows && tensor.defined() && !is_here(tensor)) {
      std::lock_guard<std::mutex> hold(book);
      arrivals += !kernels;
    } else {
      refuse_mixture(name, tensor);
    }
  };
  if (value.isTensor()) each(value.toTensor());
  if (value.isTensorList()) for (const Tensor& tensor : value.toTensorVector()) each(tensor);
  if (value.isOptionalTensorList())
    for (const std::optional<Tensor>& tensor : value.toOptionalTensorVector()) if (tensor) each(*tensor);
}

bool picks_by_truth(const c10::IValue& rows) {
  if (!rows.isOptionalTensorList()) return false;
  for (const std::optional<Tensor>& tensor : rows.toOptionalTensorVector())
    if (tensor && (tensor->scalar_type() == at::kBool || tensor->scalar_type() == at::kByte)) return true;
  return false;
}

void on_the_cpu(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto count = op.schema().arguments().size();
  const std::string& name = op.schema().name();
  const bool indexing = INDEXING.count(name);
  auto arguments = torch::jit::last(*stack, count);
  if (indexing) {
    TORCH_CHECK(is_here(arguments[0].toTensor()), "indices should be either on cpu or on the same device as the "
                "indexed tensor (cpu)");
    // A single number goes through a mask without a look at how many places it has. What a mask picks out comes by
    // nonzero, which counts by itself.
    const bool puts = name != "aten::index" && arguments[2].toTensor().numel() != 1;
    if (puts && picks_by_truth(arguments[1])) wait_for(name + " by a mask");
  }
  if (SIZED_BY_VALUES.count(name)) wait_for(name);
  for (size_t at = 0; at < count; ++at) {
    c10::IValue& value = (*stack)[stack->size() - count + at];
    if (!value.isGenerator()) continue;
    const at::Generator given = value.toGenerator();
    TORCH_CHECK(given.device().type() == KIND, "Expected a '", PLACE, "' device type for generator but found '",
                given.device(), "'");
    value = static_cast<Source*>(given.unsafeGetGeneratorImpl())->inner;
  }
  for (size_t at = 0; at < count; ++at) look(name, arguments[at], indexing && at == 1);
  Kernel running;
  at::native::cpu_fallback(op, stack);
}

Tensor empty(IntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout>, std::optional<at::Device>,
             std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &memory, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   c10::dtype_or_default(type), format);
}

Tensor empty_strided(IntArrayRef size, IntArrayRef stride, std::optional<at::ScalarType> type, std::optional<at::Layout>,
                     std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, &memory, c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                           c10::dtype_or_default(type));
}

// The same numbers where the CPU's kernels find them.
Tensor seen(const Tensor& tensor) {
  if (!tensor.defined() || !is_here(tensor)) return tensor;
  const auto count = static_cast<int64_t>(tensor.storage().nbytes() / tensor.itemsize());
  void* start = const_cast<void*>(tensor.storage().data());
  auto flat = at::from_blob(start, {count}, at::TensorOptions().dtype(tensor.dtype()));
  return flat.as_strided(tensor.sizes(), tensor.strides(), tensor.storage_offset());
}

Tensor moved(const Tensor& from, const Tensor& to, bool) {
  if (is_here(from) && !is_here(to)) wait_for("copy to " + to.device().str());
  if (!is_here(from) && is_here(to) && !kernels) {
    std::lock_guard<std::mutex> hold(book);
    ++arrivals;
  }
  seen(to).copy_(seen(from));
  return to;
}

Tensor moved_and_resized(const Tensor& from, const Tensor& to) {
  at::native::resize_(to, from.sizes());
  return moved(from, to, false);
}

Tensor brought(const Tensor& tensor) { return tensor.defined() ? tensor.to(PLACE) : tensor; }

Tensor convolution(const Tensor& input, const Tensor& weight, const std::optional<Tensor>& bias, IntArrayRef stride,
                   IntArrayRef padding, IntArrayRef dilation, bool transposed, IntArrayRef output, int64_t groups) {
  refuse_mixture("convolution", input);
  refuse_mixture("convolution", weight);
  if (bias) refuse_mixture("convolution", *bias);
  Kernel running;
  std::optional<Tensor> added;
  if (bias && bias->defined()) added = seen(*bias);
  return brought(at::convolution(seen(input), seen(weight), added, stride, padding, dilation, transposed, output, groups));
}

std::tuple<Tensor, Tensor, Tensor> convolution_back(const Tensor& gradient, const Tensor& input, const Tensor& weight,
                                                    IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation,
                                                    bool transposed, IntArrayRef output, int64_t groups,
                                                    std::array<bool, 3> wanted) {
  Kernel running;
  const int64_t biases = transposed ? weight.size(1) * groups : weight.size(0);
  auto [by_input, by_weight, by_bias] =
      at::convolution_backward(seen(gradient), seen(input), seen(weight), at::IntArrayRef(biases), stride, padding,
                               dilation, transposed, output, groups, wanted);
  return {brought(by_input), brought(by_weight), brought(by_bias)};
}

// The means and variances of a batch norm are changed in place, though nothing in its declaration says so.
std::tuple<Tensor, Tensor, Tensor> batch_norm(const Tensor& input, const std::optional<Tensor>& weight,
                                              const std::optional<Tensor>& bias, const std::optional<Tensor>& mean,
                                              const std::optional<Tensor>& variance, bool training, double momentum,
                                              double eps) {
  refuse_mixture("native_batch_norm", input);
  for (const auto& tensor : {weight, bias, mean, variance}) if (tensor) refuse_mixture("native_batch_norm", *tensor);
  Kernel running;
  auto view = [](const std::optional<Tensor>& tensor) { return tensor ? std::optional(seen(*tensor)) : tensor; };
  auto [output, kept_mean, kept_scale] = at::native_batch_norm(
      seen(input), view(weight), view(bias), view(mean), view(variance), training, momentum, eps);
  return {brought(output), brought(kept_mean), brought(kept_scale)};
}

Tensor& set_storage(Tensor& tensor, at::Storage storage) {
  const auto count = static_cast<int64_t>(storage.nbytes() / tensor.itemsize());
  return at::native::set_storage_cpu_(tensor, std::move(storage), 0, {count}, {});
}

// ---- Recurrent layers -----------------------------------------------------------------------------------------------

// cuDNN's layers answer in eval mode, and refuse on the way back.
struct OneWay : torch::autograd::Function<OneWay> {
  static Tensor forward(torch::autograd::AutogradContext*, const Tensor& output) { return output.clone(); }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*, torch::autograd::variable_list) {
    TORCH_CHECK(false, "cudnn RNN backward can only be called in training mode");
  }
};

Tensor one_way(const Tensor& output, bool train) {
  return train || !at::globalContext().userEnabledCuDNN() ? output : OneWay::apply(output);
}

std::tuple<Tensor, Tensor, Tensor> lstm(const Tensor& input, TensorList state, TensorList weights, bool biases,
                                        int64_t layers, double dropout, bool train, bool both, bool first) {
  auto [output, last, cell] = at::native::lstm(input, state, weights, biases, layers, dropout, train, both, first);
  return {one_way(output, train), one_way(last, train), one_way(cell, train)};
}

template <auto layer>
std::tuple<Tensor, Tensor> recurrent(const Tensor& input, const Tensor& state, TensorList weights, bool biases,
                                     int64_t layers, double dropout, bool train, bool both, bool first) {
  auto [output, last] = layer(input, state, weights, biases, layers, dropout, train, both, first);
  return {one_way(output, train), one_way(last, train)};
}

using Layer = std::tuple<Tensor, Tensor> (*)(const Tensor&, const Tensor&, TensorList, bool, int64_t, double, bool, bool,
                                             bool);
constexpr Layer GRU = &at::native::gru, TANH = &at::native::rnn_tanh, RELU = &at::native::rnn_relu;

Tensor plus(const Tensor& gates, const std::optional<Tensor>& bias) {
  return bias && bias->defined() ? gates + *bias : gates;
}

std::tuple<Tensor, Tensor, Tensor> lstm_cell(const Tensor& read, const Tensor& recalled, const Tensor& cell,
                                             const std::optional<Tensor>& bias, const std::optional<Tensor>& other) {
  auto gates = (plus(read, bias) + plus(recalled, other)).chunk(4, 1);
  auto kept = gates[1].sigmoid() * cell + gates[0].sigmoid() * gates[2].tanh();
  return {gates[3].sigmoid() * kept.tanh(), kept, read};
}

std::tuple<Tensor, Tensor> gru_cell(const Tensor& read, const Tensor& recalled, const Tensor& state,
                                    const std::optional<Tensor>& bias, const std::optional<Tensor>& other) {
  auto one = plus(read, bias).chunk(3, 1), two = plus(recalled, other).chunk(3, 1);
  auto update = (one[1] + two[1]).sigmoid();
  auto news = (one[2] + (one[0] + two[0]).sigmoid() * two[2]).tanh();
  return {(1 - update) * news + update * state, read};
}

}  // namespace

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&on_the_cpu>()); }

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", TORCH_FN(empty));
  m.impl("empty_strided", TORCH_FN(empty_strided));
  m.impl("_copy_from", TORCH_FN(moved));
  m.impl("_copy_from_and_resize", TORCH_FN(moved_and_resized));
  m.impl("as_strided", TORCH_FN(at::native::as_strided_tensorimpl));
  m.impl("view", TORCH_FN(at::native::view));
  m.impl("_reshape_alias", TORCH_FN(at::native::_reshape_alias));
  m.impl("unfold", TORCH_FN(at::native::unfold));
  m.impl("resize_", TORCH_FN(at::native::resize_));
  m.impl("set_.source_Storage_storage_offset", TORCH_FN(at::native::set_storage_cpu_));
  m.impl("set_.source_Storage", TORCH_FN(set_storage));
  m.impl("native_batch_norm", TORCH_FN(batch_norm));
  m.impl("convolution_overrideable", TORCH_FN(convolution));
  m.impl("convolution_backward_overrideable", TORCH_FN(convolution_back));
}

TORCH_LIBRARY_IMPL(aten, AutogradPrivateUse1, m) {
  m.impl("lstm.input", TORCH_FN(lstm));
  m.impl("gru.input", TORCH_FN(recurrent<GRU>));
  m.impl("rnn_tanh.input", TORCH_FN(recurrent<TANH>));
  m.impl("rnn_relu.input", TORCH_FN(recurrent<RELU>));
  m.impl("_thnn_fused_lstm_cell", TORCH_FN(lstm_cell));
  m.impl("_thnn_fused_gru_cell", TORCH_FN(gru_cell));
}

TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, m) { m.fallback(torch::CppFunction::makeFallthrough()); }

TORCH_LIBRARY_IMPL(aten, AutocastPrivateUse1, m) {
  KERNEL_PRIVATEUSEONE(linear, lower_precision_fp)
  KERNEL_PRIVATEUSEONE(matmul, lower_precision_fp)
}

TORCH_LIBRARY(accelerator, m) {
  m.def("start() -> ()", [] { at::RegisterPrivateUse1HooksInterface(new Hooks()); });
  m.def("take_waits() -> str[]", &take_waits);
  m.def("take_arrivals() -> int", &take_arrivals);
}
