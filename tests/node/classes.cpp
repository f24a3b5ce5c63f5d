/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The same as addon.c, by node-addon-api: C++ classes around the functions of Node-API. Each command is given
 * an object or a function.
 */
#include <napi.h>

#include <vector>

namespace shop {

static std::vector<Napi::ObjectReference> kept;
static std::vector<Napi::ThreadSafeFunction> open;

class Till : public Napi::ObjectWrap<Till> {
public:
	explicit Till(const Napi::CallbackInfo &info) : Napi::ObjectWrap<Till>(info)
	{
	}
	static Napi::Function define(Napi::Env env)
	{
		return DefineClass(env, "Till", {});
	}
};

class Sum : public Napi::AsyncWorker {
public:
	explicit Sum(Napi::Env env) : Napi::AsyncWorker(env), done(Napi::Promise::Deferred::New(env))
	{
	}
	void Execute() override
	{
	}
	void OnOK() override
	{
		done.Resolve(Env().Undefined());
	}
	Napi::Promise::Deferred done;
};

void keep(const Napi::CallbackInfo &info)
{
	kept.push_back(Napi::Persistent(info[0].As<Napi::Object>()));
}

void let_go(const Napi::CallbackInfo &info)
{
	Napi::ObjectReference reference = Napi::Persistent(info[0].As<Napi::Object>());
}

void make_till(const Napi::CallbackInfo &info)
{
	Napi::Function make = info.Env().GetInstanceData<Napi::FunctionReference>()->Value();

	info[0].As<Napi::Object>().Set("till", make.New({}));
}

Napi::Value add_up(const Napi::CallbackInfo &info)
{
	Sum *sum = new Sum(info.Env());

	sum->Queue();
	return sum->done.Promise();
}

void open_tsfn(const Napi::CallbackInfo &info)
{
	open.push_back(Napi::ThreadSafeFunction::New(info.Env(), info[0].As<Napi::Function>(), "shop", 0, 1));
	open.back().Unref(info.Env());
}

} // namespace shop

static Napi::Object init(Napi::Env env, Napi::Object exports)
{
	env.SetInstanceData(new Napi::FunctionReference(Napi::Persistent(shop::Till::define(env))));
	exports.Set("keep", Napi::Function::New(env, shop::keep));
	exports.Set("let_go", Napi::Function::New(env, shop::let_go));
	exports.Set("make_till", Napi::Function::New(env, shop::make_till));
	exports.Set("add_up", Napi::Function::New(env, shop::add_up));
	exports.Set("open_tsfn", Napi::Function::New(env, shop::open_tsfn));
	return exports;
}
NODE_API_MODULE(shop, init)
