-- Argo CD's health check for every kind of countersign.dev. What is said of an object counts only for the generation that
-- was seen.
local function health(status, message)
  return { status = status, message = message or "" }
end

-- Who judges the kind.
local judges = {
  CertificateAuthority = "signer",
  CredentialWaiver = "audit",
  FederatedTrustDomain = "signer",
  TokenClient = "token service",
  TokenRevocation = "token service",
}
local judge = judges[obj.kind] or "operator"
if obj.kind == "TokenIssuer" and obj.spec ~= nil and obj.spec.managed ~= nil then
  judge = "token service"
end

local status = obj.status
if status == nil or status.conditions == nil or status.observedGeneration == nil then
  return health("Progressing", "waiting for the " .. judge)
end
if obj.metadata.generation ~= nil and status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "the " .. judge .. " has not yet seen the latest change")
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end

-- A CredentialWaiver counts, or it does not.
local active = conditions["Active"]
if active ~= nil then
  if active.status == "Unknown" then
    return health("Progressing", active.message)
  end
  return health(active.status == "True" and "Healthy" or "Degraded", active.message)
end

local accepted = conditions["Accepted"]
if accepted ~= nil and accepted.status == "False" then
  return health("Degraded", accepted.message)
end

-- A CredentialWaiver is Active instead.
local ready = conditions["Ready"] or conditions["Active"]
if ready == nil or ready.status == "Unknown" then
  return health("Progressing", ready and ready.message or "waiting for the " .. judge)
end
-- A workload that is known, but cannot have the tokens that it asks for now.
local tokens = conditions["TokensGranted"]
local current = tokens ~= nil and tokens.observedGeneration == obj.metadata.generation
if ready.status == "True" and current and tokens.status == "False" then
  return health("Degraded", tokens.message)
end
if ready.status == "True" then
  return health("Healthy", ready.message)
end
if ready.reason == "Unreachable" then
  -- The API server did not answer in time: the operator tries again by itself.
  return health("Progressing", ready.message)
end
return health("Degraded", ready.message)
