"""The fields of KubeRay's resources that `cluster/kuberay` uses, as JSON Schemas.

They say in fewer words what the definitions of `RayCluster` and `RayJob` (ray.io/v1) of KubeRay 1.5
say, and what Kubernetes says of pods. An unknown field is a mistake: Kubernetes would drop it with
no more than a warning.
"""


def _object(required=(), **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(of):
    return {"type": "array", "items": of, "minItems": 1}


_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_FLAG = {"type": "boolean"}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_NAME = {"type": "string", "pattern": r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"}
_CPU = {"type": "string", "pattern": r"^\d+m?$"}
_BYTES = {"type": "string", "pattern": r"^\d+(Ki|Mi|Gi|Ti)$"}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}

_named = _object(["name"], name=_NAME, optional=_FLAG)
_key = _object(["name", "key"], name=_NAME, key=_TEXT, optional=_FLAG)
_amounts = _object(["cpu", "memory"], cpu=_CPU, memory=_BYTES)
_resources = _object(["requests", "limits"], requests=_amounts, limits=_amounts)
_probe = _object(
    ["httpGet"],
    httpGet=_object(["path", "port"], path={"type": "string", "pattern": "^/"}, port=_PORT),
    initialDelaySeconds=_COUNT,
    periodSeconds=_COUNT,
    timeoutSeconds=_COUNT,
    failureThreshold=_COUNT,
)
_confined = _object(
    ["runAsNonRoot", "runAsUser", "allowPrivilegeEscalation", "capabilities"],
    runAsNonRoot={"const": True},
    runAsUser={"type": "integer", "minimum": 1},
    allowPrivilegeEscalation={"const": False},
    capabilities=_object(["drop"], drop={"const": ["ALL"]}),
)
# A variable has either a value or a reference.
_variable = {
    "oneOf": [
        _object(["name", "value"], name=_TEXT, value={"type": "string"}),
        _object(["name", "valueFrom"], name=_TEXT, valueFrom=_object([], secretKeyRef=_key)),
    ]
}
_source = {
    "oneOf": [
        _object(["configMapRef"], configMapRef=_named),
        _object(["secretRef"], secretRef=_named),
    ]
}
_container = _object(
    ["name", "image", "securityContext", "resources"],
    name=_NAME,
    image={"type": "string", "pattern": r"^[\w./-]+:\d+(\.\d+)+$"},
    command=_list(_TEXT),
    args=_list(_TEXT),
    env=_list(_variable),
    envFrom=_list(_source),
    ports=_list(_object(["containerPort"], name=_NAME, containerPort=_PORT)),
    volumeMounts=_list(_object(["name", "mountPath"], name=_NAME, mountPath=_TEXT, readOnly=_FLAG)),
    securityContext=_confined,
    resources=_resources,
    readinessProbe=_probe,
    livenessProbe=_probe,
)
_template = _object(
    ["spec"],
    metadata=_object([], labels=_TEXTS),
    spec=_object(
        ["containers"],
        automountServiceAccountToken=_FLAG,
        containers=_list(_container),
        restartPolicy={"enum": ["Always", "OnFailure", "Never"]},
        securityContext=_object(
            [],
            fsGroup=_COUNT,
            seccompProfile=_object(["type"], type={"enum": ["RuntimeDefault"]}),
        ),
        terminationGracePeriodSeconds=_COUNT,
        volumes=_list(_object(["name", "configMap"], name=_NAME, configMap=_named)),
    ),
)
_metadata = {
    "oneOf": [
        _object(["name"], name=_NAME, annotations=_TEXTS, labels=_TEXTS),
        _object(["generateName"], generateName={"type": "string", "pattern": "^[a-z0-9-]+-$"}),
    ]
}

RAY_CLUSTER = _object(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayCluster"},
    metadata=_metadata,
    spec=_object(
        ["headGroupSpec", "rayVersion"],
        rayVersion={"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        authOptions=_object(["mode"], mode={"enum": ["disabled", "token"]}),
        enableInTreeAutoscaling=_FLAG,
        autoscalerOptions=_object(
            [],
            idleTimeoutSeconds=_COUNT,
            upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
            securityContext=_confined,
            resources=_resources,
        ),
        headGroupSpec=_object(
            ["rayStartParams", "template"],
            serviceType={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
            rayStartParams=_TEXTS,
            template=_template,
        ),
        workerGroupSpecs=_list(
            _object(
                ["groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"],
                groupName=_NAME,
                replicas=_COUNT,
                minReplicas=_COUNT,
                maxReplicas=_COUNT,
                rayStartParams=_TEXTS,
                template=_template,
            )
        ),
    ),
)

RAY_JOB = _object(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=_metadata,
    spec=_object(
        ["entrypoint", "clusterSelector"],
        clusterSelector=_TEXTS,
        entrypoint=_TEXT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        submitterPodTemplate=_template,
    ),
)

_selector = _object([], matchLabels=_TEXTS)
NETWORK_POLICY = _object(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "networking.k8s.io/v1"},
    kind={"const": "NetworkPolicy"},
    metadata=_metadata,
    spec=_object(
        ["podSelector", "policyTypes", "ingress"],
        podSelector=_selector,
        policyTypes={"const": ["Ingress"]},
        ingress=_list(
            _object(
                ["from"],
                **{"from": _list(_object([], podSelector=_selector, namespaceSelector=_selector))},
                ports=_list(_object(["port"], protocol={"enum": ["TCP"]}, port=_PORT)),
            )
        ),
    ),
)
