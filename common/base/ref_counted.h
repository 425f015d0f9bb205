#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace spillway {

// Intrusive, atomic reference count: one pointer wide, so that a backlog or a ring holds shared
// bytes without a control block of its own. T derives from RefCounted<T> and is created with
// MakeRef<T>. Thread-safe in the manner of shared_ptr: the count may be changed from any thread,
// the object is T's affair.
template <typename T>
class RefCounted {
 public:
  void AddRef() const { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Release() const {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
#ifndef __clang_analyzer__  // it takes any reference for the last, and sees uses after the end
    T::Destroy(static_cast<const T*>(this));
#endif
  }
  // Whether the caller's is the only reference.
  bool unshared() const { return refs_.load(std::memory_order_acquire) == 1; }
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  // The default way to end; a T with an allocation of its own shape hides it with its own static.
  static void Destroy(const T* object) { delete object; }

 protected:
  RefCounted() = default;
  ~RefCounted() = default;

 private:
  mutable std::atomic<uint32_t> refs_{1};  // born owned by the Ref that adopts it
};

// Owning pointer to a RefCounted object.
template <typename T>
class Ref {
 public:
  Ref() = default;
  static Ref Adopt(T* object) {  // takes over the reference that the object was born with
    Ref ref;
    ref.object_ = object;
    return ref;
  }
  explicit Ref(T* object) : object_(object) {
    if (object_ != nullptr) object_->AddRef();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->Release();
  }

  T* get() const { return object_; }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  // Gives the reference away: the caller must Adopt() it again or Release() it.
  T* Detach() { return std::exchange(object_, nullptr); }

 private:
  T* object_ = nullptr;
};

template <typename T, typename... Args>
Ref<T> MakeRef(Args&&... args) {
  return Ref<T>::Adopt(new T(std::forward<Args>(args)...));
}

}  // namespace spillway
