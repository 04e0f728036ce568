// Whose custom resources the chart can make: only their definitions are read, nothing of them is built.
module postrider.test/cluster/crds

go 1.26

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/kedacore/keda/v2 v2.21.0
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
